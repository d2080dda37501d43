"""Tables of truths: each row names an image and its label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mskmodel.tables.label_cell import MISSING, NONE, is_missing, label_of
from mskmodel.tables.problems import Problem
from mskmodel.tables.table import read_table, write_table
from workers.metadata.truth import Statement

__all__ = ["Row", "read_truths", "write_truths"]


@dataclass(frozen=True)
class Row:
    """One row. ``name``: the image, as named by ``column``. ``label``: as typed, None for none of the classes.

    ``time``: of the truth when the table was exported, ISO 8601, UTC; "" if the table has none.
    """

    line: int
    column: str
    name: str
    label: str | None
    time: str = ""


def read_truths(path: Path, columns: Sequence[str]) -> tuple[list[Row], list[Problem]]:
    """Rows and problems of a table with the columns ``label``, one of `columns`, and perhaps ``time``.

    Other columns are ignored. Raises TableError.
    """
    table = read_table(path, "label", tuple(columns))
    column = next(each for each in columns if table.has(each))
    rows, problems = [], list(table.problems)
    for row in table.rows:
        if not row[column]:
            problems.append(Problem(row.line, f"{column} is empty"))
        elif is_missing(row):
            problems.append(Problem(row.line, MISSING))
        else:
            rows.append(Row(row.line, column, row[column], label_of(row), row["time"]))
    return rows, problems


def write_truths(path: Path, said: Iterable[tuple[str, Statement]]) -> None:
    """Write a table with the columns ``instance,label,author,time``, which `read_truths` reads. Raises OSError."""
    rows = ((instance_id, each.label or NONE, each.author, each.time) for instance_id, each in said)
    write_table(path, ("instance", "label", "author", "time"), rows)
