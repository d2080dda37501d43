"""`msk label`."""

import json
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.registry import SHIPPED, read_manifest
from tests.dicom_files import edited
from tests.unit.commands.typed import msk


def test_label_answers_for_each_file_and_reports_the_one_that_it_cannot_read(pictures: Path) -> None:
    files = [str(pictures / name) for name in ("a.png", "c.png", "missing.dcm")]

    result = msk("label", *files, "--device", "cpu", "--json")

    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["model"] == read_manifest(SHIPPED)["version"]
    good, broken, missing = answer["files"]
    assert len(good["top5"]) == 5
    assert 0 < good["region"][1] <= 1
    assert broken["region"] is None
    assert good["error"] is None
    assert broken["error"]
    assert missing["error"]
    table = msk("label", files[0])
    assert table.exit_code == 0
    assert "a.png" in table.stdout.replace("\n", "").replace("│", "").replace(" ", "")


def test_what_counts_as_a_radiograph_is_the_same_for_loose_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(ds: Dataset) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
        ds.Modality = "OT"

    (tmp_path / "screenshot.dcm").write_bytes(edited("screenshot", change))
    (tmp_path / "labels.csv").write_text("file,label\nscreenshot.dcm,knee_ap\n")
    label = ("label", str(tmp_path / "screenshot.dcm"), "--device", "cpu", "--json")
    evaluate = ("evaluate", "--images", str(tmp_path), "--labels", str(tmp_path / "labels.csv"), "--json", "-")
    reason = "not a radiograph: Secondary Capture Image Storage with the modality OT"

    (answer,) = json.loads(msk(*label).stdout)["files"]
    assert answer["error"] == reason
    (unread,) = json.loads(msk(*evaluate).stdout)["unreadable"]
    assert unread["reason"] == reason

    monkeypatch.setenv("MSK_RADIOGRAPHS", "SC/OT")
    (answer,) = json.loads(msk(*label).stdout)["files"]
    assert answer["error"] is None
    assert json.loads(msk(*evaluate).stdout)["count"] == 1

    monkeypatch.setenv("MSK_RADIOGRAPHS", "SC:OT")
    for command in (label, evaluate):
        result = msk(*command)
        assert result.exit_code == 1
        assert result.output == (
            "Error: the environment variable MSK_RADIOGRAPHS is 'SC:OT', "
            "and should be a list like CR, DX, SC/CR, SC/DX, SC/RG\n"
        )
