"""A folder of phantoms."""

import csv

import numpy as np
from pydicom import dcmread

from mskmodel.dicom.reading import read_radiograph
from mskmodel.phantoms import render
from mskmodel.phantoms.making import make


def test_a_folder_holds_readable_files_and_the_truth_about_them(tmp_path):
    told = []
    truth = make(tmp_path, 3, seed=5, workers=1, names=("elbow_ap", "wrist"), progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["shows"]) for row in rows] == [("elbow_ap",) * 2, ("", "wrist"), ("elbow_ap",) * 2]
    assert [row["file"] for row in rows] == [row.file for row in truth]
    for row in rows:
        radiograph = read_radiograph((tmp_path / row["file"]).read_bytes())
        assert np.array_equal(radiograph.pixels, render(row["shows"], int(row["file"].split("-")[1])).bright())


def test_visits_of_a_patient_share_the_patient_and_nothing_else(tmp_path):
    make(tmp_path, 3, seed=5, workers=1, names=("wrist", "elbow_ap"), visits=2)
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    headers = [dcmread(tmp_path / row["file"]) for row in rows]
    assert [row["shows"] for row in rows] == ["wrist", "wrist", "elbow_ap"]
    assert [header.PatientID for header in headers] == [row["patient"] for row in rows]
    first, second, other = headers
    assert first.PatientID == second.PatientID != other.PatientID
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert first.StudyDate != second.StudyDate
    assert first.PixelData != second.PixelData
