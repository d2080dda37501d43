"""CSV files of truths: each row names an image and its label; each problem names its line."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.metadata.truth import Statement, TruthError

__all__ = ["UNANSWERED", "Problem", "Row", "TableError", "read_table", "write_table"]

#: Label of a row that nobody has filled in yet; an empty label means none of the classes.
UNANSWERED = "?"


class TableError(TruthError):
    """A file is not a table of truths."""


@dataclass(frozen=True)
class Row:
    """One line. ``name``: the image, as named by ``column``. ``label``: as typed, "" for none of the classes.

    ``time``: of the truth when the table was exported, ISO 8601, UTC; "" if the table has none.
    """

    line: int
    column: str
    name: str
    label: str
    time: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a line cannot be imported. The reason quotes nothing that may identify a patient."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def read_table(path: Path, columns: Sequence[str]) -> tuple[list[Row], list[Problem]]:
    """Rows and problems of a CSV with the columns ``label``, one of `columns`, and perhaps ``time``.

    Other columns are ignored. Fields are separated by commas, or by semicolons, as some spreadsheets write them.
    Raises TableError.
    """
    try:
        # Read at once, since it may be a pipe. Line ends are kept: a quoted field may contain some.
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeError:
        raise TableError(f"{path} is no CSV in UTF-8; save it in this encoding") from None
    header = text.partition("\n")[0]
    separator = ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        named = reader.fieldnames or ()
        column = next((each for each in columns if each in named), None)
        if column is None or "label" not in named:
            raise TableError(f"{path}: the first line must name the columns label and {' or '.join(columns)}")
        read = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise TableError(f"{path} is no CSV: line {reader.line_num}: {error}") from None
    if not read:
        raise TableError(f"{path} holds no rows")
    return _split(column, read)


def _split(column: str, read: Iterable[tuple[int, dict[str, str | None]]]) -> tuple[list[Row], list[Problem]]:
    rows, problems = [], []
    for line, fields in read:
        name, label = fields[column], fields["label"]
        if name is None or label is None or None in fields:
            problems.append(Problem(line, "the number of fields differs from the first line"))
        elif not name.strip():
            problems.append(Problem(line, f"{column} is empty"))
        else:
            rows.append(Row(line, column, name.strip(), label.strip(), (fields.get("time") or "").strip()))
    return rows, problems


def write_table(path: Path, said: Iterable[tuple[str, Statement]]) -> None:
    """Write a CSV with the columns ``instance,label,author,time``, which `read_table` reads. Raises OSError."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("instance", "label", "author", "time"))
        writer.writerows(_lines(said))


def _lines(said: Iterable[tuple[str, Statement]]) -> Iterator[tuple[str, ...]]:
    for instance_id, each in said:
        yield instance_id, each.label or "", each.author, each.time
