"""Crops: parts cut from radiographs, as further training images with labels of their own.

A radiograph of a lower leg contains an ankle, much as a radiograph of the ankle shows it. A crop is trained on only
together with the radiograph that it is cut from, and never evaluated.
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

#: Columns with the edges of a crop, as shares of the radiograph's width and height.
_EDGES = ("left", "top", "right", "bottom")


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

    The CSV has the columns ``file``, ``label`` (empty = none of the classes), ``left``, ``top``, ``right``, ``bottom``
    (0..1). Each crop is windowed by its own pixels alone. Raises LabelsError, NotClassifiable for a radiograph that
    cannot be used and OSError for one that cannot be read.
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
        said = f"{left}, {top}, {right}, {bottom} is no crop: 0 <= left < right <= 1, 0 <= top < bottom <= 1"
        raise LabelsError(f"{path}: {row['file']}: {said}")
    return left, top, right, bottom


def _cut(pixels: NDArray[np.uint16], left: float, top: float, right: float, bottom: float) -> NDArray[np.uint16]:
    """Pixels between these shares of width and height, at least one."""
    rows, columns = pixels.shape
    down = slice(math.floor(top * rows), math.ceil(bottom * rows))
    return pixels[down, math.floor(left * columns) : math.ceil(right * columns)]
