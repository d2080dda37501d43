"""The same picture, whatever its file is called, and however its pixels are stored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.labels_file import Labelled
from mskmodel.tables.problems import Problem, refuse

__all__ = ["Once", "picture_digest"]


def picture_digest(values: NDArray[Any]) -> str:
    """A name for a picture that is the same for the same pixels, 16 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()[:16]


class Once:
    """Lets every picture of a labels file through once, so that no repeat counts in training and in figures."""

    def __init__(self) -> None:
        self._first: dict[str, Labelled] = {}
        self._contradictions: list[Problem] = []
        self._table: Path | None = None

    def repeats(self, row: Labelled, values: NDArray[Any]) -> str:
        """Why the row's picture does not count; empty if it is a new one."""
        first = self._first.setdefault(picture_digest(values), row)
        if first is row:
            return ""
        if first.label != row.label:
            reason = f"contradicts line {first.line}, which shows the same picture"
            self._contradictions.append(Problem(row.line, reason))
            self._table = row.table
        return f"the same picture as line {first.line}; it counts once"

    def check(self) -> None:
        """Raise TableError if a picture has two labels."""
        refuse(f"{self._table} cannot be used", self._contradictions)
