"""Labelled radiographs with the patient of each, so that no patient is on both sides of a split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from mskmodel.data.dataset import Pictures, Reading, Unreadable, read_pictures
from mskmodel.data.labels_file import PATIENT, Labelled, labelled_rows, name_within, read_labels_table
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.tables.problems import Problem, refuse

__all__ = ["Cases", "read_cases", "split"]

#: Increase it with every change of the cache file's layout, so that no older file is read.
_LAYOUT = 2


@dataclass(frozen=True, eq=False)
class Cases:
    """Labelled radiographs: framed pictures, patients and files, with one entry per radiograph each.

    ``patients``: (n,) int64, the same number for the same patient; it has no other meaning. ``files``: paths within the
    folder. ``left_out``: how many radiographs of none of the classes were not read.
    """

    pictures: Pictures
    patients: NDArray[np.int64]
    files: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    left_out: int

    def digest(self) -> str:
        """SHA-256 of everything that a result depends on."""
        return hashlib.sha256(self.pictures.digest().encode() + self.patients.tobytes()).hexdigest()


def read_cases(
    images: Path,
    labels: Path,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    cache: Path,
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
    none: bool = False,
) -> Cases:
    """Read the radiographs of the classes and, with ``none``, those of none of the classes too.

    Patients come from the column ``patient`` of the labels file, without that column from the DICOM headers. The folder
    ``cache`` keeps the framed pictures until a file, the labels or the preprocessing change. It keeps no identifier of
    a patient. Raises TableError, also for a file without a patient.
    """
    table = read_labels_table(labels)
    listed = labelled_rows(table, images, classes)
    rows = [row for row in listed if none or row.label is not None]
    kept = cache / f"cases-{_key(rows, preprocessing)}.npz"
    if not kept.is_file():
        reading = read_pictures(rows, classes, preprocessing, progress)
        names = [row.patient if table.has(PATIENT) else _patient_of(row.file) for row in reading.rows]
        nobody = [row for row, name in zip(reading.rows, names, strict=True) if not name]
        problems = [Problem(row.line, "neither the line nor the file names a patient") for row in nobody]
        refuse(f"{labels} cannot be used", problems, f"name the patients in a column {PATIENT}")
        _, patients = np.unique(np.asarray(names, np.str_), return_inverse=True)
        _save(kept, reading, patients, [name_within(row.file, images) for row in reading.rows])
    return _loaded(kept, len(listed) - len(rows))


def split(
    patients: NDArray[np.int64], training: int, validation: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of a training and a validation set of at most these sizes; no patient is in both.

    Patients are added to the validation set in random order, each only if all of the patient's radiographs still fit.
    """
    chosen = np.zeros(len(patients), bool)
    for patient in random.permutation(np.unique(patients)):
        own = patients == patient
        if chosen.sum() + own.sum() <= validation:
            chosen |= own
    rest = random.permutation(np.flatnonzero(~chosen))[:training]
    return np.sort(rest), np.flatnonzero(chosen)


def _patient_of(file: Path) -> str:
    """Patient ID of a DICOM header, empty where there is none."""
    try:
        return str(dcmread(file, stop_before_pixels=True, specific_tags=["PatientID"]).get("PatientID") or "")
    except (InvalidDicomError, OSError):
        return ""


def _key(rows: Sequence[Labelled], preprocessing: Preprocessing) -> str:
    """Name of the cache file: it changes with any file, the labels, the preprocessing and the layout."""
    digest = hashlib.sha256(json.dumps([_LAYOUT, preprocessing.to_json()]).encode())
    for row in rows:
        known = row.file.stat() if row.file.is_file() else None
        said = row.line, str(row.file), row.label, row.patient
        digest.update(repr((said, known and (known.st_size, known.st_mtime_ns))).encode())
    return digest.hexdigest()[:16]


def _save(path: Path, reading: Reading, patients: NDArray[np.int64], files: Sequence[str]) -> None:
    pictures = reading.pictures
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        values=pictures.values,
        extents=pictures.extents,
        labels=pictures.labels,
        patients=patients.astype(np.int64),
        files=np.asarray(files, np.str_),
        unreadable=np.asarray([(o.file, o.reason, o.line) for o in reading.unreadable], np.str_).reshape(-1, 3),
    )
    partial.replace(path)


def _loaded(path: Path, left_out: int) -> Cases:
    with np.load(path, allow_pickle=False) as arrays:
        return Cases(
            Pictures(arrays["values"], arrays["extents"], arrays["labels"]),
            arrays["patients"],
            tuple(arrays["files"].tolist()),
            tuple(Unreadable(Path(file), str(why), int(line)) for file, why, line in arrays["unreadable"]),
            left_out,
        )
