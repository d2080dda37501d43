"""What labels mean: the table ``labels.csv``, and rows that a site adds in a table of its own.

Columns: the key; what people read; terms of region and view, empty for a key that names none; Body Part Examined
(0018,0015), a defined term of PS3.16 Annex L; View Position (0018,5101), the usual one where the key names no view;
codes of both, as a name in CID 4009 and CID 4010 of `pydicom.sr.codedict`, or as scheme, value and meaning with spaces
between. Rows with ``study`` are the study's thirteen classes, which are trained where nobody names others.

A model version carries its own keys, and the table need not know them: what is not in it is read as region and view.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.tables.problems import Problem, refuse
from mskmodel.tables.table import Row, read_table

__all__ = ["BY_KEY", "KEYS", "LABELS", "OWN_TABLE", "SEVERAL_VIEWS", "Label", "known_labels", "own_labels", "parts_of"]

#: The environment variable that names a site's own table. It is read here, since every process that meets a key needs
#: the table, renderers and trainings included.
OWN_TABLE: Final = "MSK_LABELS"
#: Several projections exposed beside each other on one film: no single view, so no answer.
SEVERAL_VIEWS: Final = "several_views"

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
_TERM = re.compile(r"[a-z0-9_]{0,40}")
#: What DICOM admits as a code string.
_CODE_STRING = re.compile(r"[A-Z0-9 _]{0,16}")
#: Words that stand for no label.
_TAKEN: Final = ("none", "other")


@dataclass(frozen=True)
class Label:
    """What an image may show. Texts are empty, and codes None, where the table says nothing."""

    #: What is stored and sent.
    key: str
    #: What people read.
    display: str
    region: str
    view: str
    body_part: str
    view_position: str
    #: Anatomic Region Sequence.
    anatomy: Code | None
    #: View Code Sequence.
    view_code: Code | None


def known_labels() -> Mapping[str, Label]:
    """All labels by key: the shipped ones, and those of the site's own table. Raises TableError."""
    path = os.environ.get(OWN_TABLE)
    return {**BY_KEY, **own_labels(Path(path))} if path else BY_KEY


@cache
def own_labels(path: Path) -> Mapping[str, Label]:
    """The labels of a site's table, by key; it has the columns ``key`` and ``region``, others as it needs them.

    Raises TableError, also for a key that is shipped: that would change what others mean by it.
    """
    table = read_table(path, "key", "region")
    found: dict[str, Label] = {}
    problems = list(table.problems)
    for row in table.rows:
        if reason := _wrong(row, found):
            problems.append(Problem(row.line, reason))
        else:
            found[row["key"]] = _label(row)
    refuse(f"the labels in {path} cannot be used", problems)
    return found


def parts_of(key: str) -> tuple[str, str]:
    """Terms of region and view of a key, ``""`` for what it does not name.

    A key that no table knows, such as ``wrist_ap``, is a region and, behind the last ``_``, a view.
    """
    if label := known_labels().get(key):
        return label.region, label.view
    region, _, view = key.rpartition("_")
    return (region, view) if region else (key, "")


def _label(row: Row) -> Label:
    return Label(
        row["key"],
        row["display"] or row["key"].replace("_", " ").capitalize(),
        row["region"],
        row["view"],
        row["body_part"],
        row["view_position"],
        _code(row["anatomy"], "cid4009"),
        _code(row["view_code"], "cid4010"),
    )


def _code(text: str, group: str) -> Code | None:
    """The code of a cell, None for an empty one. ValueError where it is none."""
    if not text:
        return None
    if text in getattr(codes, group).dir():
        found: Code = getattr(getattr(codes, group), text)
        return found
    scheme, value, meaning = text.split(maxsplit=2)
    return Code(value, scheme, meaning)


def _wrong(row: Row, before: Mapping[str, Label]) -> str:
    """What is wrong with a row of a site's table; empty if nothing is."""
    key = row["key"]
    if not _KEY.fullmatch(key) or key in _TAKEN:
        return f"a key has 1 to 60 letters, digits, _ and -, and is not {' or '.join(_TAKEN)}"
    if key in BY_KEY:
        return f"{key} is a key that the program has; choose another one"
    if key in before:
        return f"{key} has a line already"
    for column, form, means in (
        ("region", _TERM, "lower-case letters, digits and _, 40 at most"),
        ("view", _TERM, "lower-case letters, digits and _, 40 at most"),
        ("body_part", _CODE_STRING, "capital letters, digits, spaces and _, 16 at most"),
        ("view_position", _CODE_STRING, "capital letters, digits, spaces and _, 16 at most"),
    ):
        if not form.fullmatch(row[column]):
            return f"{column} has {means}"
    for column, group in (("anatomy", "cid4009"), ("view_code", "cid4010")):
        try:
            _code(row[column], group)
        except ValueError:
            return f"{column} is a name in {group.upper()} of pydicom, or scheme, value and meaning with spaces between"
    return ""


_ROWS: Final = read_table(Path(__file__).with_suffix(".csv"), "key", "region").rows

#: The labels that ship.
BY_KEY: Final[Mapping[str, Label]] = {row["key"]: _label(row) for row in _ROWS}
#: The study's classes.
LABELS: Final[tuple[Label, ...]] = tuple(BY_KEY[row["key"]] for row in _ROWS if row["study"])
KEYS: Final[tuple[str, ...]] = tuple(label.key for label in LABELS)
