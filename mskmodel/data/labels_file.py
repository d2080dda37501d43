"""Labels files: tables that name images of a folder and what they show."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mskmodel.tables.label_cell import MISSING, NONE, UNANSWERED, is_missing, label_of, named
from mskmodel.tables.problems import Problem, refuse
from mskmodel.tables.table import NUMBER_DIFFERS, Row, Table, read_table

__all__ = [
    "PATIENT",
    "Labelled",
    "checked_rows",
    "file_named",
    "labelled_rows",
    "name_within",
    "read_labels",
    "read_labels_table",
    "refuse_rows",
]

#: Column of a labels file that names the patient: any text that differs between patients.
PATIENT = "patient"
#: How a path begins that only Windows understands.
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Labelled:
    """One row of a labels file.

    ``label`` is None for none of the classes. ``table``, ``line``: the labels file, and where in it the row begins.
    ``patient``: "" if the row names none.
    """

    file: Path
    label: str | None
    table: Path | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)
    patient: str = field(default="", compare=False)

    @property
    def place(self) -> str:
        """Where the row stands, in words."""
        return f"line {self.line} of {self.table}"


def read_labels(path: Path, images: Path, classes: Sequence[str]) -> list[Labelled]:
    """The rows of a labels file; see `labelled_rows`."""
    return labelled_rows(read_labels_table(path), images, classes)


def read_labels_table(path: Path) -> Table:
    """A table with the columns ``file`` and ``label``. Raises TableError."""
    return read_table(path, "file", "label")


def labelled_rows(
    table: Table, images: Path, classes: Sequence[str], skip: Sequence[tuple[str, str]] = ()
) -> list[Labelled]:
    """The rows of a labels file, as `checked_rows` says. Raises TableError if any cannot be used.

    Rows that name the same file differ in no label; they stay, and are told when the file is read.
    """
    rows, problems = checked_rows(table, images, classes, skip)
    first: dict[str, Labelled] = {}
    for one in rows:
        before = first.setdefault(os.path.normpath(one.file), one)
        if before.label != one.label:
            problems.append(Problem(one.line, f"contradicts line {before.line}, which names the same image"))
    refuse_rows(table, problems, classes)
    return rows


def checked_rows(
    table: Table, images: Path, classes: Sequence[str], skip: Sequence[tuple[str, str]] = ()
) -> tuple[list[Labelled], list[Problem]]:
    """Rows with a ``file``, a path within ``images``, and a ``label``, a class or none; the problems of all others.

    ``skip``: (column, text) pairs; rows with that text anywhere in that column are left out, such as those
    of a licence that forbids what is planned. Whether the files exist is not looked at.
    """
    rows, problems = [], list(table.problems)
    for row in table.rows:
        if any(text in row[column] for column, text in skip):
            continue
        if reason := _wrong(row, classes, skip):
            problems.append(Problem(row.line, reason))
        else:
            patient = unicodedata.normalize("NFC", row[PATIENT])
            rows.append(Labelled(file_named(images, row["file"]), label_of(row), table.path, row.line, patient))
    return rows, problems


def refuse_rows(table: Table, problems: Sequence[Problem], classes: Sequence[str]) -> None:
    """Raise TableError if there are problems."""
    hint = f"a label is one of {', '.join(classes)}, or {NONE} for none of them"
    refuse(f"{table.path} cannot be used", problems, hint)


def name_within(file: Path, images: Path) -> str:
    """How people call the file: its path within the folder ``images``, or its whole path where it lies elsewhere."""
    return str(file.relative_to(images)) if file.is_relative_to(images) else str(file)


def file_named(images: Path, name: str) -> Path:
    """The file of that name, which need not exist, also as Windows separates folders and as macOS composes letters."""
    path = images / name
    if ("\\" not in name and name.isascii()) or os.path.exists(path):  # noqa: PTH110 (Path's raises for long names)
        return path
    slashes = name.replace("\\", "/")
    spelled = [images / unicodedata.normalize(form, slashes) for form in ("NFC", "NFD")]
    return next((each for each in spelled if os.path.exists(each)), images / slashes)  # noqa: PTH110


def _wrong(row: Row, classes: Sequence[str], skip: Sequence[tuple[str, str]]) -> str:
    """What is wrong with a row; empty if nothing is."""
    if any(column not in row for column, _ in skip):
        return NUMBER_DIFFERS
    if not row["file"]:
        return "file is empty"
    if _WINDOWS.match(row["file"]):
        return "names a drive or a server of Windows; write the path within the folder of images"
    if is_missing(row):
        return MISSING
    if row["label"] == UNANSWERED:
        return f"it is not filled in: its label is {UNANSWERED}"
    label = label_of(row)
    return "" if label is None or label in classes else f"{named(label)} is not among the classes"
