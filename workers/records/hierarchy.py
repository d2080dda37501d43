"""Where an instance stands in DICOM's hierarchy, as a row of the index has it.

Of the header's own words it keeps nothing but valid UIDs, moments and known terms; who the patient is, and who issued
the patient's number, it keeps as keyed hashes.
"""

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Self

from mskmodel.dicom.terms import modality
from workers.pacs import Above

__all__ = ["Hierarchy", "issuer_hash"]

#: Orthanc's patient of all instances that name none: the SHA-1 of nothing.
NOBODY = "da39a3ee-5e6b4b0d-3255bfef-95601890-afd80709"

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_LONGEST_UID = 64
#: Study Date, and Study Time without its fraction, seconds, or minutes.
_DATE, _TIME = re.compile(r"[0-9]{8}"), re.compile(r"([0-9]{2}){1,3}")


@dataclass(frozen=True)
class Hierarchy:
    """Columns of a row that stay as long as its instance does."""

    series: str
    study: str
    patient: str
    """A keyed hash of Orthanc's patient; where no patient is named, which may be anybody, one of the study."""
    study_uid: str | None
    series_uid: str | None
    sop_instance: str | None
    studied_at: str | None
    """Date of the study, and its time where that is known: ISO 8601, without a time zone, as modalities say it."""
    modality: str
    """A term of PS3.3, `other`, or ""."""
    issuer: str
    """A keyed hash of who issued the patient's number; "" where nobody is named."""

    @classmethod
    def from_orthanc(cls, above: Above, issuer: str, key: bytes) -> Self:
        """From what Orthanc says. ``issuer``: of `issuer_hash`; ``key``: what patients are hashed with.

        Orthanc's identifier of a patient is a hash that anybody can make of the patient's number; ours is not.
        """
        who = f"patient {above.patient}" if above.patient != NOBODY else f"nobody {above.study}"
        return cls(
            above.series,
            above.study,
            _hash(key, who),
            _uid(above.study_uid),
            _uid(above.series_uid),
            _uid(above.sop_instance),
            _moment(above.study_date, above.study_time),
            modality(above.modality),
            issuer,
        )


def issuer_hash(issuer: str, key: bytes) -> str:
    """The keyed hash of an issuer; "" for none."""
    return _hash(key, f"issuer {issuer}") if issuer else ""


def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()[:16]


def _uid(text: str) -> str | None:
    return text if len(text) <= _LONGEST_UID and _UID.fullmatch(text) else None


def _moment(date_text: str, time_text: str) -> str | None:
    if not _DATE.fullmatch(date_text):
        return None
    try:
        day = date.fromisoformat(date_text)
    except ValueError:
        return None
    if found := _TIME.match(time_text):
        with suppress(ValueError):
            return datetime.combine(day, time.fromisoformat(found[0])).isoformat()
    return day.isoformat()
