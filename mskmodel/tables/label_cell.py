"""The label of a row: a class, none of the classes where the row says so, or missing."""

from __future__ import annotations

import re

from mskmodel.tables.table import Row

__all__ = ["MISSING", "NONE", "UNANSWERED", "is_missing", "label_of", "named"]

#: Label that says that an image shows none of the classes.
NONE = "none"
#: Label of a row that nobody has filled in yet.
UNANSWERED = "?"
MISSING = f"its label is missing; {NONE} stands for none of the classes"

#: Columns that say of a row with an empty label that it is finished: what else the image shows, and, in exports of
#: earlier versions, who said it and whether it is held out.
_FINISHED = ("shows", "author", "held_out")
#: What a mistyped label looks like. Anything else may be a patient's name in the wrong column, and is not quoted.
_LIKE_A_LABEL = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")


def is_missing(row: Row) -> bool:
    """Whether the row's label is empty, and nothing says that none of the classes is meant."""
    return not row["label"] and not any(row[column] for column in _FINISHED)


def label_of(row: Row) -> str | None:
    """The label of a row in which it is not missing; None for none of the classes."""
    return None if row["label"] in ("", NONE) else row["label"]


def named(label: str) -> str:
    """The label for a message that goes on with a verb, not quoted if it may be anything else."""
    return label if _LIKE_A_LABEL.fullmatch(label) else "the label"
