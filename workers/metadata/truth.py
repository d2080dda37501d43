"""Truth: what a person says that an instance shows, as `MskTruth` holds it in Orthanc.

No model overwrites or hides it: `MskLabel` and the Orthanc label say what the truth says, whatever is predicted.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from workers.metadata.outcome import LABEL_METADATA, TRUTH, Outcome
from workers.pacs.client import OrthancClient, OrthancConflict, OrthancNotFound

__all__ = [
    "BadTruth",
    "NoTruth",
    "Statement",
    "Truth",
    "TruthConflict",
    "TruthError",
    "UnknownInstance",
    "checked_author",
    "checked_label",
    "get_truth",
    "may_be_hidden",
    "set_truth",
    "show_label",
    "withdraw_truth",
]

#: The Orthanc label of what a person found to be none of the classes.
NONE_LABEL = "msk-none"
#: What Orthanc takes as a label, with our prefix before it.
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: What a mistyped label looks like. Anything else may be a patient's name in the wrong column, and is not repeated.
_LIKE_A_LABEL = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
_LONGEST_AUTHOR = 64


class TruthError(Exception):
    """A truth cannot be set. The message names no patient."""


class BadTruth(TruthError):
    """The label or the author is none that can be kept."""


class UnknownInstance(TruthError):
    """Orthanc holds no such instance."""


class NoTruth(TruthError):
    """Nobody has said what the instance shows."""


class TruthConflict(TruthError):
    """Somebody else said something at the same moment, or what is there is not ours to replace. Nothing was changed."""


@dataclass(frozen=True)
class Statement:
    """What one person said at one time. ``label``: None for none of the classes. ``time``: ISO 8601, UTC."""

    label: str | None
    author: str
    time: str
    withdrawn: bool = False
    """Whether it only takes back what was said before; it has no label then."""

    @classmethod
    def of(cls, fields: Any) -> "Statement":
        """From JSON; author and time may be missing where other software wrote it. ValueError if it is none."""
        withdrawn = isinstance(fields, dict) and fields.get("withdrawn") is True
        if not isinstance(fields, dict) or ("label" in fields) == withdrawn:
            raise ValueError("not a truth: it has no label")
        label = fields.get("label")
        if label is not None and not (isinstance(label, str) and _LABEL.fullmatch(label)):
            raise ValueError("not a truth: what it has is no label")
        return cls(label, str(fields.get("author", "")), str(fields.get("time", "")), withdrawn)

    def to_dict(self) -> dict[str, Any]:
        """As `of` reads it. Without a label where it is withdrawn, so that nobody takes it for none of the classes."""
        said = {"withdrawn": True} if self.withdrawn else {"label": self.label}
        return said | {"author": self.author, "time": self.time}


@dataclass(frozen=True)
class Truth:
    """What counts now, and what was said before it, oldest first."""

    now: Statement
    history: tuple[Statement, ...] = ()

    @property
    def label(self) -> str | None:
        """Key of the class; None for none of the classes."""
        return self.now.label

    @property
    def author(self) -> str:
        """Who said it."""
        return self.now.author

    @property
    def time(self) -> str:
        """When, ISO 8601, UTC."""
        return self.now.time

    @property
    def orthanc_label(self) -> str:
        """The instance's Orthanc label."""
        return NONE_LABEL if self.label is None else f"msk-{self.label.replace('_', '-')}"

    def to_json(self) -> str:
        """Compact JSON: label, author, time, history."""
        fields = self.now.to_dict() | {"history": [each.to_dict() for each in self.history]}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Truth":
        """Read what `to_json` wrote. ValueError if it is no truth."""
        fields = json.loads(text)
        now = Statement.of(fields)
        history = fields.get("history", [])
        if not isinstance(history, list):
            raise ValueError("not a truth: its history is no list")
        return cls(now, tuple(Statement.of(each) for each in history))

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> "Truth | None":
        """The truth in an instance's metadata; None where nobody said anything, or it cannot be read."""
        text = metadata.get(TRUTH)
        try:
            return None if text is None else cls.from_json(text)
        except (ValueError, RecursionError):
            return None

    @classmethod
    def standing(cls, metadata: Mapping[str, str]) -> "Truth | None":
        """`of`, but None where it was withdrawn too."""
        truth = cls.of(metadata)
        return None if truth is None or truth.now.withdrawn else truth

    def followed_by(self, statement: Statement) -> "Truth":
        """The truth after somebody has said something else."""
        return Truth(statement, (*self.history, self.now))


def get_truth(orthanc: OrthancClient, instance_id: str) -> Truth | None:
    """What people said of an instance, None where nobody did. Raises UnknownInstance, OrthancError."""
    try:
        return Truth.of(orthanc.metadata(instance_id))
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None


def set_truth(
    orthanc: OrthancClient, instance_id: str, label: str | None, author: str, classes: Collection[str]
) -> Truth:
    """Write what a person says, keep what was said before, and show it; the truth as it is afterwards.

    The same word of the same author again adds nothing to the history.

    Args:
        label: one of `classes`; None or "" for none of them.

    Raises:
        BadTruth: the label is not among the classes, or the author has no name.
        UnknownInstance: Orthanc holds no such instance.
        TruthConflict: another truth came in between; look at that one first.
        OrthancError: Orthanc is away or turns us down. Setting it again does no harm.
    """
    label = checked_label(label, classes)
    return _say(orthanc, instance_id, Statement(label, checked_author(author), _now()))


def withdraw_truth(orthanc: OrthancClient, instance_id: str, author: str) -> Truth:
    """Take back what people said, keep that they did, and show what the model says; the truth as it is afterwards.

    Raises as `set_truth`, and:
        NoTruth: nobody has said anything.
    """
    return _say(orthanc, instance_id, Statement(None, checked_author(author), _now(), withdrawn=True))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _say(orthanc: OrthancClient, instance_id: str, said: Statement) -> Truth:
    try:
        metadata = orthanc.metadata(instance_id)
        truth = _written(orthanc, instance_id, metadata, said)
        show_label(orthanc, instance_id, metadata | {TRUTH: truth.to_json()}, None)
    except OrthancNotFound:
        raise UnknownInstance("Orthanc holds no such instance") from None
    return truth


def _written(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str], said: Statement) -> Truth:
    before = Truth.of(metadata)
    if before is None and TRUTH in metadata:
        raise TruthConflict(
            f"{TRUTH} of instance {instance_id} was written by something else and cannot be read; "
            "delete it in Orthanc if nobody needs it"
        )
    if before is None and said.withdrawn:
        raise NoTruth("nobody has said what the instance shows")
    if before and replace(before.now, time=said.time) == said:
        return before
    truth = before.followed_by(said) if before else Truth(said)
    try:
        orthanc.replace_metadata(instance_id, TRUTH, metadata.get(TRUTH), truth.to_json())
    except OrthancConflict:
        raise TruthConflict(
            f"somebody else said at the same moment what instance {instance_id} shows; look, then set it again"
        ) from None
    return truth


def may_be_hidden(metadata: Mapping[str, str]) -> bool:
    """Whether an instance has a truth that its labels may not say: who wrote it may have died before it showed it."""
    said = Truth.standing(metadata) or Outcome.of(metadata)
    label = said.label if said else None
    # MskLabel comes last, and says all; but where there is none, it may also be that the model abstained.
    return Truth.of(metadata) is not None and (label is None or label != metadata.get(LABEL_METADATA))


def show_label(orthanc: OrthancClient, instance_id: str, metadata: Mapping[str, str], outcome: Outcome | None) -> None:
    """Make `MskLabel` and the Orthanc label say the truth; where none stands, the outcome of labelling.

    What says so already is not written again.

    Args:
        metadata: of the instance, as it was read. A truth that has come since then is found and shown.
        outcome: None for the one in the metadata.
    """
    while True:
        shown = Truth.standing(metadata) or outcome or Outcome.of(metadata)
        label = shown.label if shown else None
        orthanc.set_labels(instance_id, {shown.orthanc_label} if shown else set())
        if label != metadata.get(LABEL_METADATA):
            _write_label(orthanc, instance_id, label)
        # Who writes a truth shows it afterwards, and so do we: whoever comes last has seen the last one.
        now = orthanc.metadata(instance_id)
        if now.get(TRUTH) == metadata.get(TRUTH) and now.get(LABEL_METADATA) == label:
            return
        metadata = now


def _write_label(orthanc: OrthancClient, instance_id: str, label: str | None) -> None:
    if label:
        orthanc.put_metadata(instance_id, LABEL_METADATA, label)
    else:
        orthanc.delete_metadata(instance_id, LABEL_METADATA)


def checked_label(label: str | None, classes: Collection[str]) -> str | None:
    """The label, or None for none of the classes. Raises BadTruth if it is not among them."""
    if label is None or label == "":
        return None
    if label not in classes:
        named = f"{label} is" if _LIKE_A_LABEL.fullmatch(label) else "the label is"
        raise BadTruth(f"{named} not among the classes: {', '.join(sorted(classes))} (empty = none of them)")
    if not _LABEL.fullmatch(label):
        raise BadTruth("a class is named by 1 to 60 letters, digits, _ and -")
    return label


def checked_author(author: str) -> str:
    """The name without spaces around it. Raises BadTruth where there is none."""
    author = author.strip()
    if not author or len(author) > _LONGEST_AUTHOR or not author.isprintable():
        raise BadTruth(f"say who says so: a name of 1 to {_LONGEST_AUTHOR} printable characters")
    return author
