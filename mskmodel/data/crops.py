"""Crops: parts cut from radiographs, as further training images with labels of their own.

A radiograph of a lower leg contains an ankle, much as a radiograph of the ankle shows it. A crop is trained on only
together with the radiograph that it is cut from, and never evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.data.labels_file import Labelled, checked_rows, refuse_rows
from mskmodel.dicom.reading import read_image
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.tables.problems import Problem
from mskmodel.tables.table import Row, Table, read_table

__all__ = ["Crops", "read_crops"]

#: Columns with the edges of a crop, as shares of the radiograph's width and height.
_EDGES = ("left", "top", "right", "bottom")
_Edges = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Crops:
    """Pictures of crops.

    ``parents``: (n,) int64, the number of the radiograph that each is cut from. ``orphans``: of each listed crop whose
    radiograph was not among those given, the radiograph's file.
    """

    pictures: Pictures
    parents: NDArray[np.int64]
    orphans: tuple[Path, ...] = ()

    @classmethod
    def none(cls) -> Crops:
        """No crops."""
        return cls(Pictures.framed([], [], ()), np.zeros(0, np.int64))


def read_crops(
    path: Path,
    images: Path,
    files: Sequence[str],
    classes: Sequence[str],
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
) -> Crops:
    """Cut the listed crops of the radiographs in ``files``, which are paths within the folder ``images``.

    The table has the columns ``file``, ``label``, ``left``, ``top``, ``right``, ``bottom`` (0..1). Each crop is
    windowed by its own pixels alone. Raises TableError, NotClassifiable for a radiograph that cannot be used, and
    OSError for one that cannot be read.
    """
    listed = _listed(read_table(path, "file", "label", *_EDGES), images, classes)
    known = {images / file: number for number, file in enumerate(files)}
    chosen = [(row, edges) for row, edges in listed if row.file in known]
    orphans = tuple(row.file for row, _ in listed if row.file not in known)
    pictures = []
    for row, (_, edges) in zip(progress([row for row, _ in chosen]), chosen, strict=True):
        radiograph = read_image(row.file)
        pictures.append(Preprocessing().frame(replace(radiograph, pixels=_cut(radiograph.pixels, *edges))))
    labels = [row.label for row, _ in chosen]
    parents = np.asarray([known[row.file] for row, _ in chosen], np.int64)
    return Crops(Pictures.framed(pictures, labels, classes), parents, orphans)


def _listed(table: Table, images: Path, classes: Sequence[str]) -> list[tuple[Labelled, _Edges]]:
    rows, problems = checked_rows(table, images, classes)
    edges_of = {row.line: _edges(row) for row in table.rows}
    found: dict[tuple[Path, _Edges], Labelled] = {}
    for row in rows:
        edges = edges_of[row.line]
        if edges is None:
            said = f"{', '.join(_EDGES)} must be numbers: 0 <= left < right <= 1, 0 <= top < bottom <= 1"
            problems.append(Problem(row.line, said))
        elif (before := found.setdefault((row.file, edges), row)) is not row:
            problems.append(Problem(row.line, f"names the same crop as line {before.line}"))
    refuse_rows(table, problems, classes)
    return [(row, edges) for (_, edges), row in found.items()]


def _edges(row: Row) -> _Edges | None:
    """The edges of a crop, None if they are none. A decimal comma is as good as a point."""
    try:
        left, top, right, bottom = (float(row[edge].replace(",", ".")) for edge in _EDGES)
    except ValueError:
        return None
    return (left, top, right, bottom) if 0 <= left < right <= 1 and 0 <= top < bottom <= 1 else None


def _cut(pixels: NDArray[np.uint16], left: float, top: float, right: float, bottom: float) -> NDArray[np.uint16]:
    """Pixels between these shares of width and height, at least one."""
    rows, columns = pixels.shape
    down = slice(math.floor(top * rows), math.ceil(bottom * rows))
    return pixels[down, math.floor(left * columns) : math.ceil(right * columns)]
