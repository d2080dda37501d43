"""Labelled radiographs for training and evaluation: a folder and a CSV of ``file,label``."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.reading import read_image
from mskmodel.network.preprocessing import STORED, Picture, Preprocessing
from mskmodel.radiograph import NotClassifiable
from mskmodel.whole_file import settle

__all__ = ["STORED", "Labelled", "LabelsError", "Pictures", "Unreadable", "columns_of", "read_labels", "read_pictures"]


class LabelsError(Exception):
    """A labels file is missing, or holds something that cannot be a label."""


@dataclass(frozen=True)
class Labelled:
    """One row of a labels file. ``label`` is None for none of the classes."""

    file: Path
    label: str | None


@dataclass(frozen=True)
class Unreadable:
    """A file that is listed but cannot be used, and why."""

    file: Path
    reason: str

    @classmethod
    def because(cls, file: Path, error: NotClassifiable | OSError) -> Unreadable:
        """The reason of an error, in words for people."""
        return cls(file, error.reason if isinstance(error, NotClassifiable) else error.strerror or "cannot be read")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Radiographs in memory, windowed and shrunk, not yet enhanced (augmentation comes before that).

    ``values``: (n, STORED, STORED) uint8. ``extents``: (n, 2) int16, rows and columns of the picture, in the
    middle of its padding. ``labels``: (n,) int64, index of the class; the number of classes = none of them.
    """

    values: NDArray[np.uint8]
    extents: NDArray[np.int16]
    labels: NDArray[np.int64]

    @classmethod
    def framed(cls, pictures: Sequence[Picture], labels: Sequence[str | None], classes: Sequence[str]) -> Pictures:
        """From framed pictures and their labels, None for none of the classes."""
        index: dict[str | None, int] = {key: number for number, key in enumerate(classes)} | {None: len(classes)}
        return cls(
            np.asarray([one.values for one in pictures], np.uint8).reshape(-1, STORED, STORED),
            np.asarray([(one.rows, one.columns) for one in pictures], np.int16).reshape(-1, 2),
            np.asarray([index[label] for label in labels], np.int64),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Pictures:
        """The pictures of these rows."""
        return Pictures(self.values[rows], self.extents[rows], self.labels[rows])

    def digest(self) -> str:
        """SHA-256 over everything that training sees."""
        digest = hashlib.sha256()
        for array in (self.values, self.extents, self.labels):
            # Without a copy: the arrays of a snapshot may be larger than memory.
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file, whole or not at all."""
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, values=self.values, extents=self.extents, labels=self.labels)
        settle(partial, path)

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read a file that ``save`` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["values"], arrays["extents"], arrays["labels"])

    @classmethod
    def joined(cls, parts: Sequence[Pictures]) -> Pictures:
        """The pictures of all parts, in order."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.extents for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )


def read_labels(
    path: Path, images: Path, classes: Sequence[str], skip: Sequence[tuple[str, str]] = ()
) -> list[Labelled]:
    """Rows of a CSV with the columns ``file`` (relative to ``images``) and ``label`` (empty = none of the classes).

    ``skip``: (column, text) pairs; rows with that text anywhere in that column are left out, such as those
    of a licence that forbids what is planned. Raises LabelsError.
    """
    rows = _rows(path)
    if not rows or not {"file", "label"} <= set(rows[0]):
        raise LabelsError(f"{path}: the first line must name the columns file and label, and rows must follow")
    unknown = sorted({row["label"] for row in rows} - {*classes, ""})
    if unknown:
        raise LabelsError(f"{path}: not among the classes: {', '.join(unknown)} (empty = none of them)")
    missing = sorted({column for column, _ in skip} - set(rows[0]))
    if missing:
        raise LabelsError(f"{path}: no column {', '.join(missing)}")
    kept = [row for row in rows if not any(text in row[column] for column, text in skip)]
    return [Labelled(images / row["file"], row["label"] or None) for row in kept]


def columns_of(path: Path) -> tuple[str, ...]:
    """Column names of a labels file; none if it has no rows. Raises LabelsError."""
    rows = _rows(path)
    return tuple(rows[0]) if rows else ()


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        # Spreadsheets begin their CSV with a byte order mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file, restval=""))
    except OSError as error:
        raise LabelsError(f"cannot read the labels: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path} is not a CSV file in UTF-8: {error}") from error


def read_pictures(
    rows: Sequence[Labelled],
    classes: Sequence[str],
    preprocessing: Preprocessing,
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
) -> tuple[Pictures, list[Unreadable]]:
    """Read and frame every file; files that cannot be read are returned with the reason, and the others are read."""
    pictures, labels, unreadable = [], [], []
    for row in progress(rows):
        try:
            pictures.append(preprocessing.frame(read_image(row.file)))
        except (NotClassifiable, OSError) as error:
            unreadable.append(Unreadable.because(row.file, error))
            continue
        labels.append(row.label)
    return Pictures.framed(pictures, labels, classes), unreadable
