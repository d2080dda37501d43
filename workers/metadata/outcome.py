"""The outcome of one instance, as `MskPrediction` holds it in Orthanc."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = [
    "FAILED",
    "LABELLED",
    "LABEL_METADATA",
    "NEEDS_REVIEW",
    "PREDICTION",
    "SKIPPED",
    "TRUTH",
    "Outcome",
]

PREDICTION = "MskPrediction"
LABEL_METADATA = "MskLabel"
TRUTH = "MskTruth"

LABELLED = "labelled"
NEEDS_REVIEW = "needs-review"
SKIPPED = "skipped"
FAILED = "failed"


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Outcome:
    """What became of an instance, in terms that a person understands."""

    status: str
    attachment_md5: str
    """MD5 of the file that was labelled, hexadecimal; it tells whether the instance was replaced since.

    Where Orthanc keeps no MD5 it is the file's UUID; empty where Orthanc said neither.
    """
    tries: int
    label: str | None = None
    confidence: float | None = None
    """Calibrated probability of the likeliest class."""
    top5: tuple[tuple[str, float], ...] = ()
    reason: str | None = None
    note: str | None = None
    """What a person should know of how the file was read, whatever the outcome; mostly nothing."""
    model: str | None = None
    header: dict[str, str] = field(default_factory=dict)
    """Body part, view position and laterality as the DICOM header claims them."""
    header_disagrees: bool | None = None
    """None if the header does not say, or there is no label."""
    stored_at: str | None = None
    labelled_at: str = field(default_factory=_now)
    milliseconds: dict[str, float] = field(default_factory=dict)
    retry: bool = False
    """Whether the sweep tries a failed one again by itself, seldom."""

    def to_json(self) -> str:
        """Compact JSON, with the fields of this class."""
        return json.dumps(self.__dict__, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Read what `to_json` wrote, by this or a newer version.

        Raises:
            ValueError: it is no outcome.
        """
        fields = json.loads(text, parse_constant=_refused)
        if not isinstance(fields, dict) or not {"status", "attachment_md5", "tries"} <= fields.keys():
            raise ValueError(f"{PREDICTION} lacks a status")
        known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
        known["top5"] = tuple((str(key), float(probability)) for key, probability in known.get("top5", ()))
        return cls(**known)

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> "Outcome | None":
        """The outcome in an instance's metadata; None if there is none, or it cannot be read."""
        text = metadata.get(PREDICTION)
        try:
            return None if text is None else cls.from_json(text)
        except (ValueError, TypeError, RecursionError):
            return None

    def covers(self, attachment_md5: str, model: str) -> bool:
        """Whether labelling the same file with this model again would change nothing."""
        if self.attachment_md5 != attachment_md5:
            return False
        return self.status == SKIPPED or (self.status in (LABELLED, NEEDS_REVIEW) and self.model == model)

    @property
    def orthanc_label(self) -> str:
        """The instance's Orthanc label: the class, or else the status."""
        return f"msk-{(self.label or self.status).replace('_', '-')}"
