"""A snapshot: the labelled radiographs of one training job as they were when it began, and whose they are.

It is a folder of a manifest and arrays. The arrays are memory-mapped, so that memory use does not grow with the number
of images. The manifest is written last: its existence means that the snapshot is whole. It is never changed afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.pixel_cache import PixelCache
from mskmodel.network.preprocessing import Picture, Preprocessing
from mskmodel.whole_file import write_whole

__all__ = ["MANIFEST", "LeftOut", "Row", "Snapshot", "SnapshotError", "write_snapshot"]

MANIFEST = "manifest.json"
_ARRAYS = ("values", "extents", "labels")


class SnapshotError(Exception):
    """A snapshot is missing, incomplete or damaged, or would hold no image."""


@dataclass(frozen=True)
class Row:
    """One image. ``label`` is what a person said of it, None for none of the classes."""

    instance: str
    md5: str
    label: str | None
    #: Key of the patient, see `patient_key`.
    patient: str


@dataclass(frozen=True)
class LeftOut:
    """An instance that was meant to be in the snapshot and is not, and why."""

    instance: str
    reason: str


class Snapshot:
    """A whole snapshot, opened. Raises SnapshotError. ``rows`` are in the order of ``pictures``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        manifest = _read_manifest(directory)
        try:
            self.classes: tuple[str, ...] = tuple(manifest["classes"])
            self.preprocessing = Preprocessing.from_json(manifest["preprocessing"])
            self.rows: tuple[Row, ...] = tuple(
                Row(row["instance"], row["md5"], row["label"], row["patient"]) for row in manifest["rows"]
            )
            self.left_out: tuple[LeftOut, ...] = tuple(LeftOut(**each) for each in manifest["left_out"])
            #: SHA-256 over the classes, the preprocessing and the rows: the same for the same truths and files.
            self.digest: str = manifest["digest"]
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"{directory / MANIFEST} is not the manifest of a snapshot") from error
        if self.digest != _digest(manifest):
            raise SnapshotError(f"{directory / MANIFEST} was changed after it was written")
        #: Their arrays are views of the files, read when they are accessed.
        self.pictures: Pictures = self._open(len(self.rows))

    def _open(self, count: int) -> Pictures:
        try:
            # Copy on write: PyTorch wants to be able to write, and the files must not change.
            values, extents, labels = (
                np.load(self.directory / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in _ARRAYS
            )
        except (OSError, ValueError, EOFError) as error:
            raise SnapshotError(f"the snapshot in {self.directory} is damaged: {error}") from error
        if (values.shape, extents.shape, labels.shape) != ((count, STORED, STORED), (count, 2), (count,)):
            raise SnapshotError(f"the snapshot in {self.directory} is damaged: images are missing")
        return Pictures(values, extents, labels)


def write_snapshot(
    directory: Path,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    rows: Sequence[Row],
    left_out: Sequence[LeftOut],
    cache: PixelCache,
    progress: Callable[[int], None] = lambda _: None,
) -> Snapshot:
    """Write a snapshot of these images into a folder that holds none yet. The cache must hold all their pictures.

    ``classes``: keys that number the labels; for a model with other kinds, these too, behind the classes. A label that
    is not among them counts as none of them: its row keeps the label, its picture gets their number. ``progress`` is
    called with the number of images written, and may raise to stop. Raises SnapshotError where there is no image, where
    the folder holds a snapshot and where the cache misses a picture.
    """
    if not rows:
        raise SnapshotError("no image can be trained on: no instance has a truth and readable pixels")
    if (directory / MANIFEST).exists():
        raise SnapshotError(f"{directory} holds a snapshot already")
    ordered = sorted(rows, key=lambda row: row.instance)
    directory.mkdir(parents=True, exist_ok=True)
    _write_arrays(directory, classes, ordered, cache, progress)
    manifest: dict[str, Any] = {
        "classes": list(classes),
        "preprocessing": preprocessing.to_json(),
        "rows": [asdict(row) for row in ordered],
        "left_out": [asdict(each) for each in left_out],
    }
    manifest["digest"] = _digest(manifest)
    write_whole(directory / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())
    return Snapshot(directory)


def _write_arrays(
    directory: Path, classes: Sequence[str], rows: Sequence[Row], cache: PixelCache, progress: Callable[[int], None]
) -> None:
    extents = np.zeros((len(rows), 2), np.int16)
    # Written one after the other: on a full disk, a growing memory map ends the process instead of raising an error.
    with (directory / "values.npy").open("wb") as file:
        shape = (len(rows), STORED, STORED)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for place, row in enumerate(rows):
            picture = cache.find(row.md5)
            if picture is None:
                raise SnapshotError(f"the pixels of instance {row.instance} are no longer in the cache; start again")
            extents[place] = picture.shape
            file.write(Picture.padded(picture, STORED).values.data)
            progress(place + 1)
        file.flush()
        os.fsync(file.fileno())
    _write_array(directory / "extents.npy", extents)
    number = {key: place for place, key in enumerate(classes)}
    labels = [len(classes) if row.label is None else number.get(row.label, len(classes)) for row in rows]
    _write_array(directory / "labels.npy", np.asarray(labels, np.int64))


def _write_array(path: Path, values: NDArray[Any]) -> None:
    """As `numpy.save`, whose error for a full disk does not say that it is full."""
    file = BytesIO()
    np.save(file, values)
    write_whole(path, file.getvalue())


def _read_manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
    except FileNotFoundError as error:
        raise SnapshotError(f"{directory} holds no whole snapshot: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{directory / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise SnapshotError(f"{directory / MANIFEST} is not the manifest of a snapshot")
    return manifest


def _digest(manifest: dict[str, Any]) -> str:
    seen = {name: manifest[name] for name in ("classes", "preprocessing", "rows")}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
