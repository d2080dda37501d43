"""What is trained on and what is held out: no image is in both, and none has two labels."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence

from mskmodel.data.dataset import Reading
from mskmodel.data.labels_file import Labelled
from mskmodel.data.same_picture import picture_digest
from mskmodel.tables.problems import Problem, listed, refuse

__all__ = ["check_files_apart", "check_pictures_apart", "patients_in_both"]

#: Rows with that by which two of them are the same.
_Keyed = Iterable[tuple[Hashable, Labelled]]


def check_files_apart(training: Sequence[Sequence[Labelled]], held_out: Sequence[Labelled]) -> None:
    """Raise TableError if a file is listed both to train on and as held out: known before anything is read."""
    _check_apart((each for rows in training for each in _by_file(rows)), _by_file(held_out), held_out)


def check_pictures_apart(training: Sequence[Reading], held_out: Reading) -> None:
    """Raise TableError if a picture is both trained on and held out, or is trained on with two labels.

    Pictures are compared as the network sees them, so that neither another name nor another format hides one.
    """
    pictures = [each for reading in training for each in _by_picture(reading)]
    _check_apart(pictures, _by_picture(held_out), held_out.rows)
    first: dict[Hashable, Labelled] = {}
    for digest, row in pictures:
        before = first.setdefault(digest, row)
        if before.label != row.label:
            contradiction = Problem(row.line, f"contradicts {before.place}, which shows the same picture")
            refuse(f"{row.table} cannot be used", [contradiction])


def patients_in_both(training: Sequence[Sequence[Labelled]], held_out: Sequence[Labelled]) -> str:
    """The lines of the hold-out with patients who are trained on too, as far as the tables name patients; or empty."""
    return listed(_in_both((each for rows in training for each in _by_patient(rows)), _by_patient(held_out)))


def _check_apart(training: _Keyed, held_out: _Keyed, rows: Sequence[Labelled]) -> None:
    found = _in_both(training, held_out)
    refuse(f"{rows[0].table if rows else ''} is held out, and some of it is trained on", found)


def _in_both(training: _Keyed, held_out: _Keyed) -> list[Problem]:
    trained_on: dict[Hashable, Labelled] = {}
    for key, row in training:
        trained_on.setdefault(key, row)
    return [Problem(row.line, f"is {trained_on[key].place} too") for key, row in held_out if key in trained_on]


def _by_file(rows: Sequence[Labelled]) -> _Keyed:
    return [(os.path.abspath(row.file), row) for row in rows]  # noqa: PTH100 (without ".." and without the disk)


def _by_picture(reading: Reading) -> _Keyed:
    return [(picture_digest(v), row) for v, row in zip(reading.pictures.values, reading.rows, strict=True)]


def _by_patient(rows: Sequence[Labelled]) -> _Keyed:
    return [(row.patient, row) for row in rows if row.patient]
