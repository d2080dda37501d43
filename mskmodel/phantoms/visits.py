"""Patients who come twice: phantoms of both visits, one of which has right headers, the other wrong or silent ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from mskmodel.dicom.writing import CR, Header, radiograph_dataset
from mskmodel.labels import BY_KEY
from mskmodel.phantoms.making import renderers
from mskmodel.phantoms.rendering import exposures

__all__ = ["BETWEEN", "PATIENTS", "Patient", "Picture", "make_visits"]

#: Days from one visit to the other: fourteen months.
BETWEEN: Final = 425

#: Body Part Examined and View Position of a header.
Said = tuple[str, str]


@dataclass(frozen=True)
class Patient:
    """Whose views are taken twice, and what the headers of both visits say of each; None for what is right."""

    side: str
    views: tuple[str, str]
    before: tuple[Said | None, Said | None]
    now: tuple[Said | None, Said | None]


#: A knee whose newer headers have the leg, and an AP for the lateral; an ankle whose older headers say next to nothing.
PATIENTS: Final = (
    Patient("R", ("knee_ap", "knee_lateral"), (None, None), (("LEG", ""), ("KNEE", "AP"))),
    Patient("L", ("ankle_ap", "ankle_lateral"), (("", ""), ("EXTREMITY", "")), (None, None)),
)


@dataclass(frozen=True)
class Picture:
    """One of the files.

    patient: its place in `PATIENTS`; visit: 0 for the earlier one, 1 for the later; study: Study Instance UID.
    """

    file: Path
    label: str
    side: str
    patient: int
    visit: int
    study: str


def make_visits(
    directory: Path, seed: int, today: date, progress: Callable[[int, int], None] | None = None
) -> list[Picture]:
    """Write both visits of all patients as CR files, the later one of `today`; the same seed gives the same pixels.

    progress: called with the numbers of files that are written and wanted. Raises RenderingUnavailable, OSError.
    """
    wanted = [(directory, seed, today, n, view) for n in range(len(PATIENTS)) for view in range(2)]
    made: list[Picture] = []
    with renderers() as pool:
        for pictures in pool.map(_taken_twice, wanted):
            made += pictures
            if progress:
                progress(len(made), 2 * len(wanted))
    return made


def _taken_twice(wanted: tuple[Path, int, date, int, int]) -> list[Picture]:
    """One view of a patient, at both visits."""
    directory, seed, today, number, view = wanted
    patient = PATIENTS[number]
    name = patient.views[view]
    pictures = []
    for visit, phantom in enumerate(exposures(name, seed + number, 2, patient.side)):
        said = (patient.before, patient.now)[visit][view]
        study = f"visits-{seed}-{number}-{visit}"
        header = Header(
            identity=f"{study}-{name}",
            study=study,
            patient_id=f"VISITS-{seed:04d}-{number}",
            patient_name=f"Phantom^{patient.views[0].partition('_')[0]}",
            date=f"{today - timedelta(days=0 if visit else BETWEEN):%Y%m%d}",
            label=BY_KEY[name],
            body_part=said[0] if said else None,
            view_position=said[1] if said else None,
            laterality=patient.side,
            pixel_spacing=(round(phantom.pixel_mm, 4),) * 2,
        )
        pixels = phantom.pixels.astype(np.uint8) if phantom.bits <= 8 else phantom.pixels
        file = directory / f"{study}-{name}.dcm"
        ds = radiograph_dataset(pixels, header=header, bits=phantom.bits, photometric=phantom.photometric, sop_class=CR)
        ds.save_as(file, enforce_file_format=True)
        pictures.append(Picture(file, name, patient.side, number, visit, str(ds.StudyInstanceUID)))
    return pictures
