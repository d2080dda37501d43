"""The outcome of one instance, as `MskPrediction` holds it in Orthanc."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "FAILED",
    "LABELLED",
    "LABEL_METADATA",
    "NEEDS_REVIEW",
    "PREDICTION",
    "SCHEMA",
    "SKIPPED",
    "TRUTH",
    "Outcome",
    "Siblings",
]

PREDICTION = "MskPrediction"
LABEL_METADATA = "MskLabel"
TRUTH = "MskTruth"

#: Of the JSON that is written; 1 had neither evidence nor a number, 2 no hash of the pixels.
SCHEMA = 3

LABELLED = "labelled"
NEEDS_REVIEW = "needs-review"
SKIPPED = "skipped"
FAILED = "failed"


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _known(values: Mapping[str, Any], kind: type["DataclassInstance"]) -> dict[str, Any]:
    """Those of the values that are fields of this dataclass: a newer version may write others."""
    return {each.name: values[each.name] for each in fields_of(kind) if each.name in values}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Siblings:
    """What the other instances of its study did to an outcome, once the study had settled."""

    revision: str
    """Hash of all of them and their own answers: looking at the same ones again would change nothing."""
    count: int
    moved: bool = False
    """Whether they changed the label. They do so at most once."""
    before: str | None = None
    """The label before that; None where there was none."""


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
    """Calibrated probability of the likeliest class, by all evidence."""
    top5: tuple[tuple[str, float], ...] = ()
    explanation: str | None = None
    """What each piece of evidence says, in one sentence."""
    region: tuple[str, float] | None = None
    """The likeliest body region and its probability; it may be clear where the view is not."""
    pixels: dict[str, float] = field(default_factory=dict)
    """Calibrated probabilities of every class, and of `none`, by the pixels alone."""
    kinds: dict[str, float] = field(default_factory=dict)
    """Those of the kinds of none of the classes that the model tells apart, as far as they matter: parts of `none`."""
    pixel_hash: str = ""
    """What all copies of the picture share, 32 hexadecimal digits; empty for one of a single value, or none read."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What the header claims, as `Claims.to_json` says it: mapped terms and hashes, nothing of its own words."""
    evidence: dict[str, dict[str, float]] = field(default_factory=dict)
    """Likelihoods of every class, and of `none`, by each piece of evidence beside the pixels."""
    disagreement: float | None = None
    """How sure the pixels are that the header is wrong, 0..1; None if the header does not say."""
    study: str = ""
    """Orthanc's identifier of its study."""
    siblings: Siblings | None = None
    reason: str | None = None
    note: str | None = None
    """What a person should know of how the file was read, whatever the outcome; mostly nothing."""
    model: str | None = None
    header: dict[str, str] = field(default_factory=dict)
    """Body part, view position and laterality: terms of the standard's tables, as the DICOM header has them."""
    stored_at: str | None = None
    labelled_at: str = field(default_factory=_now)
    milliseconds: dict[str, float] = field(default_factory=dict)
    retry: bool = False
    """Whether the sweep tries a failed one again by itself, seldom."""
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Compact JSON, with the fields of this class."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Read what `to_json` wrote, by this version, an older or a newer one.

        Raises:
            ValueError: it is no outcome.
        """
        fields = json.loads(text, parse_constant=_refused)
        if not isinstance(fields, dict) or not {"status", "attachment_md5", "tries"} <= fields.keys():
            raise ValueError(f"{PREDICTION} lacks a status")
        known = {"schema": 1} | _known(fields, cls)
        known["top5"] = tuple((str(key), float(probability)) for key, probability in known.get("top5", ()))
        if region := known.get("region"):
            known["region"] = (str(region[0]), float(region[1]))
        if siblings := known.get("siblings"):
            known["siblings"] = Siblings(
                **{name: siblings[name] for name in Siblings.__dataclass_fields__ if name in siblings}
            )
        if "header_disagrees" in fields and fields["header_disagrees"] is not None:
            known["disagreement"] = float(fields["header_disagrees"])
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
        return self.status == SKIPPED or (self.status in (LABELLED, NEEDS_REVIEW) and self.is_by(model))

    def is_by(self, model: str) -> bool:
        """Whether this model gave it, and all that is asked for today: what an earlier schema lacks, no model told."""
        return self.model == model and self.schema >= SCHEMA

    @property
    def orthanc_label(self) -> str:
        """The instance's Orthanc label: the class, or else the status."""
        return f"msk-{(self.label or self.status).replace('_', '-')}"
