"""One reader and one writer of tables: labels, truths, crops, patients and lists of instances.

Whatever programs and people make of a CSV is read: any usual separator and encoding, quoted fields with line breaks,
blank lines and columns, names of columns in any case. What cannot be read is told by line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mskmodel.tables.problems import Problem, TableError
from mskmodel.tables.text import text_of
from mskmodel.whole_file import write_whole

__all__ = ["NUMBER_DIFFERS", "Row", "Table", "parse_table", "read_table", "write_table"]

NUMBER_DIFFERS = "the number of fields differs from the first line"

#: In this order; the first that makes the needed columns of the first line counts.
_SEPARATORS = (",", ";", "\t", "|")
#: Larger than a table of millions of rows; a device or a pipe may have no end.
_MOST_BYTES = 256 << 20
#: A line by which Excel is told the separator.
_ANNOUNCED = re.compile(r'"?sep=([^\w\s"]|\t)"?(\r\n|\r|\n)', re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
#: What the csv module says of a line, and what to say to people.
_REASONS = {
    "unexpected end of data": "a quotation mark is opened here and never closed",
    "field larger than field limit": "a field is too long; perhaps a quotation mark is not closed",
    "expected after": "text follows a closing quotation mark; inside a quoted field, double the marks",
}

#: A line's number, its fields, and why they cannot be read.
_Record = tuple[int, list[str], str]


@dataclass(frozen=True)
class Row:
    """A row of a table, without spaces around its fields. ``line``: where it begins, as an editor counts."""

    line: int
    fields: dict[str, str]

    def __contains__(self, column: str) -> bool:
        """Whether the row reaches that column; some programs leave out empty fields at the end."""
        return column.casefold() in self.fields

    def __getitem__(self, column: str) -> str:
        """The field, "" where there is none. The case of a column's name does not count."""
        return self.fields.get(column.casefold(), "")


@dataclass(frozen=True)
class Table:
    """A table that has the columns that were asked for. ``problems``: of lines that are not among ``rows``."""

    path: Path
    columns: tuple[str, ...]
    rows: list[Row]
    problems: list[Problem]

    def has(self, column: str) -> bool:
        """Whether there is a column of that name, in any case."""
        return column.casefold() in self.columns


def read_table(path: Path, *needed: str | tuple[str, ...]) -> Table:
    """Read a file once, so that it may be a pipe. See `parse_table`."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise TableError(f"{path} is no table: it has more than {_MOST_BYTES >> 20} MB")
    return parse_table(text_of(data, str(path)), path, *needed)


def parse_table(text: str, path: Path, *needed: str | tuple[str, ...]) -> Table:
    """The table in a text. ``path``: for messages. ``needed``: columns it must have; of several names one suffices.

    Raises TableError where there is no such table or no row in it. Rows that are blank do not count.
    """
    wanted = [(each,) if isinstance(each, str) else each for each in needed]
    names, records = _opened(text, path, wanted)
    twice = [number for number, name in enumerate(names, 1) if name and name in names[: number - 1]]
    if twice:
        raise TableError(f"{path}: column {twice[0]} has the name of another column; rename one of them")
    used = [next(name for name in map(str.casefold, each) if name in names) for each in wanted]
    reach = max(map(names.index, used))
    rows, problems = [], []
    for line, fields, wrong in records:
        if reason := wrong or _wrong(fields, len(names), reach):
            problems.append(Problem(line, reason))
        elif any(fields):
            cells = zip(names, fields, strict=False)
            rows.append(Row(line, {name: field.strip() for name, field in cells if name}))
    if not rows and not problems:
        raise TableError(f"{path} holds no rows: nothing follows the names of the columns")
    return Table(path, tuple(name for name in names if name), rows, problems)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table that `read_table` reads: CSV in UTF-8, whole or not at all. Raises OSError."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _opened(text: str, path: Path, wanted: Sequence[tuple[str, ...]]) -> tuple[list[str], Iterator[_Record]]:
    """Names of the columns, casefolded, and the records below them, by the separator that suits. Raises TableError."""
    if not text.strip():
        raise TableError(f"{path} is empty")
    announced = _ANNOUNCED.match(text)
    fewest = list(wanted)
    for separator in announced[1] if announced else _SEPARATORS:
        records = _records(text, separator, after=announced.end() if announced else 0)
        first = next((fields for _, fields, wrong in records if any(fields) or wrong), [])
        names = [name.strip().casefold() for name in first]
        missing = [each for each in wanted if not any(name.casefold() in names for name in each)]
        if not missing:
            return names, records
        fewest = min(fewest, missing, key=len)
    columns, lacking = (" and ".join(" or ".join(each) for each in several) for several in (wanted, fewest))
    noun = "column" if len(wanted) == 1 else "columns"
    raise TableError(f"{path}: the first line must name the {noun} {columns}; it names no {lacking}")


def _records(text: str, separator: str, after: int) -> Iterator[_Record]:
    """The records, blank ones as a list of blank fields, with the numbers of the lines where they begin."""
    lines = io.StringIO(text[after:], newline="")
    above = 1 if after else 0
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        line = above + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = str(error)
            yield line, [], next((ours for theirs, ours in _REASONS.items() if theirs in said), said)
        else:
            yield line, fields if any(map(str.strip, fields)) else [], ""


def _wrong(fields: Sequence[str], columns: int, reach: int) -> str:
    """What is wrong with the fields of a row that is not blank. ``reach``: the last column that it must have."""
    if fields and (len(fields) <= reach or any(map(str.strip, fields[columns:]))):
        return NUMBER_DIFFERS
    if any(map(_CONTROL.search, fields)):
        return "a field holds a NUL or another control character"
    return ""
