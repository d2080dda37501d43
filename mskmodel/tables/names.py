"""Lists of names, such as identifiers of instances: one a line, or a column of a table."""

from __future__ import annotations

import re
from pathlib import Path

from mskmodel.tables.problems import Problem, TableError, refuse
from mskmodel.tables.table import parse_table
from mskmodel.tables.text import text_of

__all__ = ["names_in"]

#: Within so many characters a table has named its columns.
_HEADER = 1000
_BETWEEN = re.compile(r'[\s,;|"]+')


def names_in(data: bytes, path: Path, column: str, shape: re.Pattern[str]) -> list[str]:
    """The names in a file, each once. If its first line names `column`, that column of the table counts.

    ``path``: for messages. ``shape``: what a name looks like. Raises TableError, also for a line that holds none.
    """
    text = text_of(data, str(path))
    found: list[tuple[int, str]] = []
    problems: list[Problem] = []
    if column.casefold() in _BETWEEN.split(text[:_HEADER].casefold()):
        table = parse_table(text, path, column)
        problems += table.problems
        found += [(row.line, row[column]) for row in table.rows]
    else:
        lines = re.split("\r\n|\r|\n", text)
        found += [(line, name) for line, said in enumerate(lines, 1) for name in _BETWEEN.split(said) if name]
    problems += [Problem(line, f"no {column}") for line, name in found if not shape.fullmatch(name)]
    refuse(f"{path} cannot be used", problems)
    if not found:
        raise TableError(f"{path} names no {column}")
    return list(dict.fromkeys(name for _, name in found))
