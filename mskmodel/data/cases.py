"""Labelled radiographs with the patient of each, so that no patient is on both sides of a split."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from mskmodel.data.dataset import Labelled, LabelsError, Pictures, Unreadable, read_labels, read_pictures
from mskmodel.network.preprocessing import Preprocessing

__all__ = ["Cases", "read_cases", "split"]

#: Column of a labels file that names the patient: any text that differs between patients.
_PATIENT = "patient"
#: Increase it with every change of the cache file's layout, so that no older file is read.
_LAYOUT = 1


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
    a patient. Raises LabelsError, also for a file without a patient.
    """
    listed = read_labels(labels, images, classes)
    owners = _patient_column(labels)
    chosen = [number for number, row in enumerate(listed) if none or row.label is not None]
    rows = [listed[number] for number in chosen]
    kept = cache / f"cases-{_key(rows, labels, preprocessing)}.npz"
    if not kept.is_file():
        pictures, unreadable = read_pictures(rows, classes, preprocessing, progress)
        failed = {one.file for one in unreadable}
        read = [number for number in chosen if listed[number].file not in failed]
        names = [owners[number] if owners else _patient_of(listed[number].file) for number in read]
        nobody = [listed[number].file for number, name in zip(read, names, strict=True) if not name]
        if nobody:
            hint = f"name the patients in a column {_PATIENT} of {labels}"
            raise LabelsError(f"files without a patient: {len(nobody)}, such as {nobody[0]}; {hint}")
        _, patients = np.unique(np.asarray(names, np.str_), return_inverse=True)
        _save(kept, pictures, patients, read, unreadable)
    return _loaded(kept, listed, images, len(listed) - len(chosen))


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


def _patient_column(labels: Path) -> list[str] | None:
    with labels.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, restval=""))
    return [row[_PATIENT] for row in rows] if _PATIENT in rows[0] else None


def _patient_of(file: Path) -> str:
    """Patient ID of a DICOM header, empty where there is none."""
    try:
        return str(dcmread(file, stop_before_pixels=True, specific_tags=["PatientID"]).get("PatientID") or "")
    except (InvalidDicomError, OSError):
        return ""


def _key(rows: Sequence[Labelled], labels: Path, preprocessing: Preprocessing) -> str:
    """Name of the cache file: it changes with any file, the labels, the preprocessing and the layout."""
    digest = hashlib.sha256(json.dumps([_LAYOUT, preprocessing.to_json()]).encode() + labels.read_bytes())
    for row in rows:
        known = row.file.stat() if row.file.is_file() else None
        digest.update(repr((str(row.file), known and (known.st_size, known.st_mtime_ns))).encode())
    return digest.hexdigest()[:16]


def _save(
    path: Path,
    pictures: Pictures,
    patients: NDArray[np.int64],
    read: Sequence[int],
    unreadable: Sequence[Unreadable],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        values=pictures.values,
        extents=pictures.extents,
        labels=pictures.labels,
        patients=patients.astype(np.int64),
        read=np.asarray(read, np.int64),
        unreadable=np.asarray([(str(one.file), one.reason) for one in unreadable], np.str_).reshape(-1, 2),
    )
    partial.replace(path)


def _loaded(path: Path, listed: Sequence[Labelled], images: Path, left_out: int) -> Cases:
    with np.load(path, allow_pickle=False) as arrays:
        files = [listed[number].file for number in arrays["read"]]
        return Cases(
            Pictures(arrays["values"], arrays["extents"], arrays["labels"]),
            arrays["patients"],
            tuple(str(file.relative_to(images)) for file in files),
            tuple(Unreadable(Path(file), str(reason)) for file, reason in arrays["unreadable"]),
            left_out,
        )
