"""What is wrong with a table, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Problem", "TableError", "listed", "refuse"]

#: Most problems that a message lists: a screenful.
_SHOWN = 20


class TableError(Exception):
    """A file is no table, or lines of it cannot be used. The message quotes nothing that may identify a patient."""


@dataclass(frozen=True)
class Problem:
    """Why a line cannot be used. ``line``: as an editor counts, from 1; where the row begins."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def listed(problems: Sequence[Problem]) -> str:
    """The problems in order of lines, one a line, at most a screenful."""
    shown = [str(each) for each in sorted(problems, key=lambda each: each.line)]
    more = [f"and {len(shown) - _SHOWN} more lines"] if len(shown) > _SHOWN else []
    return "\n".join(shown[:_SHOWN] + more)


def refuse(lead: str, problems: Sequence[Problem], hint: str = "") -> None:
    """Raise TableError if there are problems: after ``lead``, all of them, the first on the same line; then a hint."""
    if problems:
        raise TableError("\n".join(filter(None, (f"{lead}: {listed(problems)}", hint))))
