"""Which instances are old: an archive, which gives way to what is new.

The plugin script in Orthanc has the same rule for the instances that it tells the gateway of. It imports nothing of
ours, so a test asks both the same questions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from workers.broker.queues import BACKFILL, LABEL
from workers.pacs import OrthancClient
from workers.settings import Settings

__all__ = ["AgeRule", "by_queue"]

#: Metadata in which Orthanc notes who sent an instance: an AE title over DICOM, a user over HTTP.
SENDER = ("RemoteAET", "HttpUsername", "RemoteIP")

#: A date in DICOM, or as ACR-NEMA had it (PS3.5, table 6.2-1).
_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")


@dataclass(frozen=True)
class AgeRule:
    """What counts as old at this site. Senders are named in lower case."""

    old_after_days: int = 30
    """0 for never."""
    backfill_senders: frozenset[str] = frozenset()
    new_senders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "AgeRule":
        """The rule that the settings state."""
        return cls(settings.old_after_days, settings.backfill_senders, settings.new_senders)

    def is_old(self, study_date: str, metadata: Mapping[str, str], today: date) -> bool | None:
        """Whether an instance with this study date and this metadata is old; None where nothing says it.

        What Orthanc has held for long is old, whoever sent it: nobody waits for it now.
        """
        senders = {metadata.get(name, "").strip().casefold() for name in SENDER} - {""}
        if self._is_past(metadata.get("ReceptionDate", "")[:8], today):
            return True
        if senders & self.new_senders:
            return False
        if senders & self.backfill_senders:
            return True
        return self._is_past(study_date, today)

    def _is_past(self, day: str, today: date) -> bool | None:
        days = _days_since(day, today)
        return days > self.old_after_days if self.old_after_days and days is not None else None


def _days_since(day: str, today: date) -> int | None:
    """None for what is no date, and for a date in the future: neither says how old something is."""
    found = _DATE.fullmatch(day.strip())
    try:
        days = (today - date(*map(int, found.group(1, 3, 4)))).days if found else -1
    except ValueError:
        return None
    return days if days >= 0 else None


def by_queue(orthanc: OrthancClient, ages: AgeRule, instance_ids: Sequence[str], in_doubt: str) -> dict[str, list[str]]:
    """The instances by the queue in which each is to wait; `in_doubt` where nothing says whether it is old."""
    metadata, dates = orthanc.metadata_of(instance_ids), orthanc.study_dates(instance_ids)
    queue_of = {True: BACKFILL, False: LABEL, None: in_doubt}
    result: dict[str, list[str]] = {}
    for instance_id in instance_ids:
        old = ages.is_old(dates.get(instance_id, ""), metadata.get(instance_id, {}), date.today())
        result.setdefault(queue_of[old], []).append(instance_id)
    return result
