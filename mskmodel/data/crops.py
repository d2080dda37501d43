"""Parts of radiographs that show something else than the whole, or the same from nearer: more to train on.

A film of a lower leg holds an ankle as an ankle's own film would show it. Such parts are trained on with the
radiograph that they are cut out of and never judged.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Labelled, LabelsError, Pictures, read_labels
from mskmodel.dicom.reading import read_image
from mskmodel.network.preprocessing import Preprocessing

__all__ = ["Crops", "read_crops"]

#: Where the part lies, in shares of the radiograph's width and height.
_EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, eq=False)
class Crops:
    """``parents``: (n,) int64, of each the number of the radiograph that it is a part of.

    ``orphans``: listed parts, by their radiograph's file, that no radiograph was there for.
    """

    pictures: Pictures
    parents: NDArray[np.int64]
    orphans: tuple[Path, ...] = ()

    @classmethod
    def none(cls) -> Crops:
        """Not one."""
        return cls(Pictures.framed([], [], ()), np.zeros(0, np.int64))


def read_crops(
    path: Path,
    images: Path,
    files: Sequence[str],
    classes: Sequence[str],
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
) -> Crops:
    """Those of the listed parts whose radiograph is one of ``files``, paths within the folder ``images``.

    The CSV has the columns ``file``, ``label`` (empty = none of the classes), ``left``, ``top``, ``right``, ``bottom``
    (0..1). Each part is windowed as if it had been exposed alone. Raises LabelsError, NotClassifiable for a radiograph
    that cannot be used and OSError for one that cannot be read.
    """
    listed = read_labels(path, images, classes)
    with path.open(newline="", encoding="utf-8-sig") as opened:
        edges = [_edges(row, path) for row in csv.DictReader(opened, restval="")]
    known = {images / file: number for number, file in enumerate(files)}
    chosen = [(row, edge) for row, edge in zip(listed, edges, strict=True) if row.file in known]
    orphans = tuple(row.file for row in listed if row.file not in known)
    pictures = []
    for row, (_, edge) in zip(progress([row for row, _ in chosen]), chosen, strict=True):
        radiograph = read_image(row.file)
        pictures.append(Preprocessing().frame(replace(radiograph, pixels=_cut(radiograph.pixels, *edge))))
    labels = [row.label for row, _ in chosen]
    parents = np.asarray([known[row.file] for row, _ in chosen], np.int64)
    return Crops(Pictures.framed(pictures, labels, classes), parents, orphans)


def _edges(row: Mapping[str, str], path: Path) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(row[edge]) for edge in _EDGES)
    except KeyError as error:
        raise LabelsError(f"{path}: no column {error.args[0]}") from error
    except ValueError as error:
        raise LabelsError(f"{path}: {row['file']}: {', '.join(_EDGES)} must be numbers: {error}") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        said = f"{left}, {top}, {right}, {bottom} is no part: 0 <= left < right <= 1, and so from top to bottom"
        raise LabelsError(f"{path}: {row['file']}: {said}")
    return left, top, right, bottom


def _cut(pixels: NDArray[np.uint16], left: float, top: float, right: float, bottom: float) -> NDArray[np.uint16]:
    """At least a pixel."""
    rows, columns = pixels.shape
    down = slice(math.floor(top * rows), math.ceil(bottom * rows))
    return pixels[down, math.floor(left * columns) : math.ceil(right * columns)]
