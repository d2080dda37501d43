"""Which regions are seen together: the table ``neighbours.csv``, and rows that a site adds in a table of its own.

Columns: two regions, as terms of `mskmodel.evidence.terms` or of labels, and how much the one is worth beside the
other, 0..1; a row counts both ways. A site's row takes the place of the shipped one for its two regions; a weight of 0
takes the pair away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from mskmodel.tables.problems import Problem, refuse
from mskmodel.tables.table import Row, read_table

__all__ = ["OWN_NEIGHBOURS", "SHIPPED", "Weights", "known_neighbours", "own_neighbours"]

#: The environment variable that names a site's own table.
OWN_NEIGHBOURS: Final = "MSK_NEIGHBOURS"
_COLUMNS: Final = ("region", "neighbour", "weight")
_TERM: Final = re.compile(r"[a-z0-9_]{1,40}")

#: Weights by pair of regions.
Weights = Mapping[frozenset[str], float]


def known_neighbours() -> Weights:
    """All pairs: the shipped ones, and over them those of the site's own table. Raises TableError."""
    path = os.environ.get(OWN_NEIGHBOURS)
    return {**SHIPPED, **own_neighbours(Path(path))} if path else SHIPPED


@cache
def own_neighbours(path: Path) -> Weights:
    """The pairs of a site's table. Raises TableError, with the lines that are wrong."""
    table = read_table(path, *_COLUMNS)
    found: dict[frozenset[str], float] = {}
    problems = list(table.problems)
    for row in table.rows:
        if reason := _wrong(row, found):
            problems.append(Problem(row.line, reason))
        else:
            found[_pair(row)] = float(row["weight"])
    refuse(f"the neighbours in {path} cannot be used", problems)
    return found


def _pair(row: Row) -> frozenset[str]:
    return frozenset((row["region"], row["neighbour"]))


def _wrong(row: Row, before: Weights) -> str:
    """What is wrong with a row; empty if nothing is."""
    if not _TERM.fullmatch(row["region"]) or not _TERM.fullmatch(row["neighbour"]):
        return "a region has lower-case letters, digits and _, 40 at most"
    if row["region"] == row["neighbour"]:
        return "a region is no neighbour of itself"
    if _pair(row) in before:
        return "these two regions have a line already"
    try:
        weight = float(row["weight"])
    except ValueError:
        weight = -1.0
    return "" if 0 <= weight <= 1 else "weight is a number from 0 to 1"


#: The pairs that ship.
SHIPPED: Final[Weights] = own_neighbours(Path(__file__).with_suffix(".csv"))
