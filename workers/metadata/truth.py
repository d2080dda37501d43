"""Truth: the label that a person gave to an instance, as `MskTruth` holds it in Orthanc."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mskmodel.tables.label_cell import NONE, named
from workers.metadata.outcome import TRUTH

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
    "checked_side",
]

#: The Orthanc label of an instance whose truth is none of the classes.
NONE_LABEL = "msk-none"
#: What Orthanc accepts as a label, after our prefix.
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST_AUTHOR = 64
#: Right, left, both; or nothing said.
_SIDES = ("R", "L", "B", "")


class TruthError(Exception):
    """A truth cannot be set. The message names no patient."""


class BadTruth(TruthError):
    """The label or the author is not valid."""


class UnknownInstance(TruthError):
    """Orthanc holds no such instance."""


class NoTruth(TruthError):
    """Nobody has said what the instance shows."""


class TruthConflict(TruthError):
    """Somebody else set a truth at the same moment, or the present one must not be replaced. Nothing was changed."""


@dataclass(frozen=True)
class Statement:
    """What one person said at one time. ``label``: None for none of the classes. ``time``: ISO 8601, UTC."""

    label: str | None
    author: str
    time: str
    withdrawn: bool = False
    """Whether it only withdraws what was said before; it has no label then."""
    origin: str = ""
    """Where it comes from, if it was said of another instance."""
    side: str = ""
    """Of the body: R, L or B (both); "" where the person does not say."""

    @classmethod
    def of(cls, fields: Any) -> "Statement":
        """From JSON; if other software wrote it, author and time may be missing. ValueError if it is no statement."""
        withdrawn = isinstance(fields, dict) and fields.get("withdrawn") is True
        if not isinstance(fields, dict) or ("label" in fields) == withdrawn:
            raise ValueError("not a truth: it has no label")
        label = fields.get("label")
        if label is not None and not (isinstance(label, str) and _LABEL.fullmatch(label)):
            raise ValueError("not a truth: its label is not valid")
        author, time, origin = (str(fields.get(name, "")) for name in ("author", "time", "origin"))
        side = fields.get("side")
        return cls(label, author, time, withdrawn, origin, side if side in _SIDES else "")

    def to_dict(self) -> dict[str, Any]:
        """As `of` reads it. A withdrawal has no label, so that nobody takes it for none of the classes."""
        said = {"withdrawn": True} if self.withdrawn else {"label": self.label}
        optional = {name: text for name, text in (("side", self.side), ("origin", self.origin)) if text}
        return said | {"author": self.author, "time": self.time} | optional


@dataclass(frozen=True)
class Truth:
    """The statement that counts now, and the earlier ones, oldest first."""

    now: Statement
    history: tuple[Statement, ...] = ()

    @property
    def label(self) -> str | None:
        """Key of the class; None for none of the classes."""
        return self.now.label

    @property
    def side(self) -> str:
        """R, L or B; "" where nobody says."""
        return self.now.side

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
        """The truth in an instance's metadata, even if withdrawn; None if there is none, or it cannot be read."""
        text = metadata.get(TRUTH)
        try:
            return None if text is None else cls.from_json(text)
        except (ValueError, RecursionError):
            return None

    @classmethod
    def standing(cls, metadata: Mapping[str, str]) -> "Truth | None":
        """As `of`, but None also if the truth was withdrawn."""
        truth = cls.of(metadata)
        return None if truth is None or truth.now.withdrawn else truth

    def followed_by(self, statement: Statement) -> "Truth":
        """The truth after one more statement."""
        return Truth(statement, (*self.history, self.now))


def checked_label(label: str | None, classes: Collection[str]) -> str | None:
    """The label, or None for none of the classes. Raises BadTruth if it is not among them."""
    if label in (None, "", NONE):
        return None
    if label not in classes:
        known = f"{', '.join(sorted(classes))} ({NONE} = none of them)"
        raise BadTruth(f"{named(label)} is not among the classes: {known}")
    if not _LABEL.fullmatch(label):
        raise BadTruth("the key of a class has 1 to 60 letters, digits, _ and -")
    return label


def checked_side(side: str) -> str:
    """The side. Raises BadTruth if it is none."""
    if side not in _SIDES:
        raise BadTruth('a side is R (right), L (left), B (both), or "" for none said')
    return side


def checked_author(author: str) -> str:
    """The name without spaces around it. Raises BadTruth if it is empty, too long or not printable."""
    author = author.strip()
    if not author or len(author) > _LONGEST_AUTHOR or not author.isprintable():
        raise BadTruth(f"an author is needed: a name of 1 to {_LONGEST_AUTHOR} printable characters")
    return author
