"""Labelled radiographs in memory, for training and evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.labels_file import Labelled
from mskmodel.data.same_picture import Once
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_image
from mskmodel.network.preprocessing import STORED, Picture, Preprocessing
from mskmodel.radiograph import NotClassifiable
from mskmodel.whole_file import settle

__all__ = ["STORED", "Pictures", "Reading", "Unreadable", "read_pictures"]


@dataclass(frozen=True)
class Unreadable:
    """A file that is listed but not used, and why. ``line``: of the labels file that lists it, 0 for none."""

    file: Path
    reason: str
    line: int = 0

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        return f"not read: {self.file}{line}: {self.reason}"

    @classmethod
    def because(cls, file: Path, error: NotClassifiable | OSError, line: int = 0) -> Unreadable:
        """The reason of an error, in words for people."""
        reason = error.reason if isinstance(error, NotClassifiable) else error.strerror or "cannot be read"
        return cls(file, reason, line)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Radiographs in memory, windowed and shrunk, not yet enhanced (augmentation comes before that).

    ``values``: (n, STORED, STORED) uint8. ``extents``: (n, 2) int16, rows and columns of the picture, in the
    middle of its padding. ``labels``: (n,) int64, index of the class; the number of classes = none of them. For a model
    with other kinds, these are numbered behind the classes, and the number after them = none of known kind.
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


@dataclass(frozen=True, eq=False)
class Reading:
    """Pictures that were read, each with its row of the labels file, and the rows that were not used."""

    pictures: Pictures
    rows: tuple[Labelled, ...]
    unreadable: tuple[Unreadable, ...]


def read_pictures(
    rows: Sequence[Labelled],
    classes: Sequence[str],
    preprocessing: Preprocessing,
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
    kinds: RadiographKinds = BY_DEFAULT,
) -> Reading:
    """Read and frame every file once, however often it is listed and under whatever names.

    ``kinds``: what counts as a radiograph. Files that cannot be read are returned with the reason, and the others are
    read. Raises TableError where the same picture has two labels.
    """
    pictures, read, unreadable = [], [], []
    once = Once()
    for row in progress(rows):
        try:
            picture = preprocessing.frame(read_image(row.file, kinds=kinds))
        except (NotClassifiable, OSError) as error:
            unreadable.append(Unreadable.because(row.file, error, row.line))
            continue
        if reason := once.repeats(row, picture.values):
            unreadable.append(Unreadable(row.file, reason, row.line))
            continue
        pictures.append(picture)
        read.append(row)
    once.check()
    return Reading(Pictures.framed(pictures, [row.label for row in read], classes), tuple(read), tuple(unreadable))
