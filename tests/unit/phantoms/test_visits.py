"""Patients who come twice."""

from datetime import date
from pathlib import Path

from pydicom import dcmread

from mskmodel.labels import BY_KEY
from mskmodel.phantoms.visits import make_visits


def test_two_patients_come_twice_and_half_of_their_headers_are_wrong_or_silent(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    pictures = make_visits(tmp_path, 1, date(2026, 11, 28), lambda *at: told.append(at))
    assert told[-1] == (8, 8)
    headers = {picture: dcmread(picture.file) for picture in pictures}
    assert len({ds.PatientID for ds in headers.values()}) == 2
    studies = {(picture.patient, picture.visit): str(ds.StudyInstanceUID) for picture, ds in headers.items()}
    assert len(set(studies.values())) == 4
    for picture, ds in headers.items():
        assert (str(ds.StudyInstanceUID), ds.Laterality) == (studies[picture.patient, picture.visit], picture.side)
        assert ds.StudyDate == ("20261128" if picture.visit else "20250929")
    right = [
        (ds.BodyPartExamined, ds.ViewPosition) == (label.body_part, label.view_position)
        for label, ds in ((BY_KEY[picture.label], ds) for picture, ds in headers.items())
    ]
    assert (len(right), sum(right)) == (8, 4)
    assert len({ds.PixelData for ds in headers.values()}) == 8
