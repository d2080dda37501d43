"""A row of the index: what Orthanc's metadata say of one instance, and nothing that could be a person's own words.

Anybody who may write to Orthanc may have written the metadata. A value that is no key, number or term as the labeller
writes it is left out, so that no text of a header gets in, and nothing that a database refuses holds up what follows.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mskmodel.evidence.terms import sure_region
from mskmodel.labels import parts_of
from mskmodel.tables.label_cell import NONE
from workers.metadata.candidate import candidate_of
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.metadata.truth import Truth
from workers.records.hierarchy import Hierarchy
from workers.records.known_values import known_claims, known_key
from workers.records.reason import told

__all__ = ["Row", "is_pixel_hash"]

_PIXEL_HASH = re.compile(r"[0-9a-f]{32}")
#: Most classes of a version.
_MOST_CLASSES = 200
#: By how much the probabilities of all classes may miss 1, since they are rounded.
_ROUNDING = 0.02
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class Row(Hierarchy):
    """One instance; its columns but `updated_at`. None where Orthanc does not say."""

    instance: str
    stored_at: str
    """When Orthanc received it: ISO 8601, UTC, whole seconds."""
    status: str | None = None
    label: str | None = None
    probability: float | None = None
    """Of the likeliest class, 0..1."""
    model: str | None = None
    region: str | None = None
    """Of the label; where there is none, the one that the model is sure of."""
    view: str | None = None
    """Of the label."""
    side: str | None = None
    """R, L or B: as a person says, else the header."""
    disagreement: float | None = None
    """Of header and pixels, 0..1."""
    pixels: dict[str, float] | None = None
    """Probabilities by the pixels alone, by class and `none`."""
    claims: dict[str, Any] | None = None
    """What the header claims, as `Claims.to_json` has it."""
    group: str | None = None
    """Keyed hash of modality and station."""
    truth: str | None = None
    """What a person said: a class or `none`."""
    attachment: str | None = None
    """Identity of the file that the outcome is about."""
    pixel_hash: str | None = None
    """What all copies of the picture share."""
    shown: str | None = None
    """What people are shown: what a person said, else the model's label."""
    reason: str | None = None
    """Why it is not labelled, as far as it may be told."""
    labelled_at: str | None = None
    """When it got its outcome: ISO 8601, UTC, milliseconds."""
    doubt: float | None = None
    """How much a person should look at it next, 0..1."""
    unlike: bool | None = None
    """Whether the model's likeliest answer is none of the classes."""

    @classmethod
    def of(cls, instance: str, hierarchy: Hierarchy, metadata: Mapping[str, str]) -> "Row":
        """The row of an instance there, with these metadata."""
        truth = Truth.standing(metadata)
        said = known_key((truth.label or NONE) if truth else None)
        side = (truth.side or None) if truth else None
        known = hierarchy.__dict__ | {"stored_at": _stored_at(metadata)}
        start = cls(instance=instance, **known, side=side, truth=said, shown=said)
        outcome = Outcome.of(metadata)
        if outcome is None or outcome.status not in (LABELLED, NEEDS_REVIEW, SKIPPED, FAILED):
            return start
        fields = json.loads(metadata[PREDICTION])
        label, claims = known_key(outcome.label), known_claims(fields.get("claims"))
        region, view = parts_of(label) if label else ("", "")
        region = region or (sure_region(*outcome.region) if outcome.region else "")
        candidate = candidate_of(instance, outcome)
        return cls(
            **start.__dict__
            | {
                "status": outcome.status,
                "label": label,
                "probability": _share(outcome.confidence),
                "model": known_key(outcome.model),
                "region": region or None,
                "view": view or None,
                "side": side or ((claims.side or None) if claims else None),
                "disagreement": _share(fields.get("disagreement")),
                "pixels": _pixels(fields.get("pixels")),
                "claims": json.loads(json.dumps(claims.to_json())) if claims else None,
                "group": (claims.group or None) if claims else None,
                "attachment": known_key(outcome.attachment_md5),
                "doubt": _share(candidate.doubt) if candidate else None,
                "unlike": candidate.unlike if candidate else None,
                "pixel_hash": outcome.pixel_hash if is_pixel_hash(outcome.pixel_hash) else None,
                "shown": start.truth or label,
                "reason": told(outcome.reason),
                "labelled_at": _moment(outcome.labelled_at),
            }
        )


def is_pixel_hash(value: object) -> bool:
    """Whether it is a hash as label workers write it."""
    return isinstance(value, str) and _PIXEL_HASH.fullmatch(value) is not None


def _stored_at(metadata: Mapping[str, str]) -> str:
    """Orthanc's own time is in UTC, but has no time zone. What has none comes first of all."""
    try:
        received = datetime.fromisoformat(metadata["ReceptionDate"]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        received = _EPOCH
    return received.isoformat(timespec="seconds")


def _moment(value: object) -> str | None:
    try:
        found = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return found.astimezone(UTC).isoformat(timespec="milliseconds") if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _share(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1 else None


def _pixels(value: object) -> dict[str, float] | None:
    if not isinstance(value, dict) or not 1 < len(value) <= _MOST_CLASSES or NONE not in value:
        return None
    found = {key: _share(share) for key, share in value.items() if known_key(key)}
    shares = {key: share for key, share in found.items() if share is not None}
    whole = len(shares) == len(value) and abs(sum(shares.values()) - 1) < _ROUNDING
    return shares if whole else None
