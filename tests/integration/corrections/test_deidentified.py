"""De-identified folders with a real Orthanc: exported, and imported into another one."""

import csv
import os
from pathlib import Path

from click.testing import CliRunner
from pydicom import dcmread
from pydicom.dataset import Dataset

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from tests import dicom_files
from tests.servers import running_orthanc
from tests.truth_site import TruthSite, empty_site
from workers.cli import main
from workers.metadata.truth_changes import set_truth

NOBODY = "00000000-11111111-22222222-33333333-44444444"


#: Written into every field of a header that people fill in.
SECRET = "SECRETXYZZY"


def secretive(ds: Dataset) -> None:
    ds.PatientID, ds.PatientName, ds.PatientBirthDate = SECRET, f"{SECRET}^Jane", "19120304"
    ds.InstitutionName = ds.OperatorsName = ds.ReferringPhysicianName = ds.StationName = SECRET
    ds.StudyDescription = ds.SeriesDescription = ds.ProtocolName = ds.ImageComments = ds.PatientComments = SECRET
    ds.AccessionNumber = ds.StudyID = ds.DeviceSerialNumber = ds.OtherPatientIDs = ds.DerivationDescription = SECRET
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].RequestedProcedureDescription = SECRET
    ds.private_block(0x11, SECRET, create=True).add_new(1, "LO", SECRET)
    ds.add_new(0x60024000, "LT", SECRET)
    ds.add_new(0x60023000, "OW", SECRET.encode() + b"\0")


def burned_in(ds: Dataset) -> None:
    ds.BurnedInAnnotation = "YES"


def exported(site: TruthSite, folder: Path) -> list[dict[str, str]]:
    result = site.msk("truth", "export", folder)
    assert result.exit_code == 0, result.output
    with (folder / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_exported_folder_names_no_patient_and_keeps_their_images_together(site: TruthSite, tmp_path: Path) -> None:
    a1, a2, b = site.store("a1", "A"), site.store("a2", "A"), site.store("b", "B")
    hidden = site.orthanc.upload(dicom_files.edited("secret", secretive))
    for instance_id in (a1, a2, b, hidden):
        set_truth(site.orthanc, instance_id, "knee_ap", "reviewer", KEYS)
    folder = tmp_path / "out"
    rows = exported(site, folder)
    assert list(rows[0]) == ["file", "label", "patient", "held_out"]
    assert len(rows) == 4
    per_patient = sorted(sum(row["patient"] == each for row in rows) for each in {row["patient"] for row in rows})
    assert per_patient == [1, 1, 2]
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (SECRET, "19120304", "Quincy^", "reviewer", a1, hidden):
        assert secret.encode() not in everything
    studies = {}
    for row in rows:
        ds = dcmread(folder / row["file"])
        assert (ds.PatientID, ds.PatientIdentityRemoved) == (row["patient"], "YES")
        studies.setdefault(row["patient"], set()).add(ds.StudyInstanceUID)
    assert all(len(of_patient) == 1 for of_patient in studies.values())


def test_what_is_left_out_of_an_export_is_named_with_the_reason(site: TruthSite, tmp_path: Path) -> None:
    burned = site.orthanc.upload(dicom_files.edited("burned", burned_in))
    ct = site.orthanc.upload(next(file.data for file in dicom_files.other_files() if file.name == "CT"))
    for instance_id in (burned, ct, site.store("good")):
        set_truth(site.orthanc, instance_id, None, "reviewer", KEYS)
    told = site.msk("truth", "export", tmp_path / "out").stderr
    assert f"left out: {burned}: its header says that a name may be burned in" in told
    assert f"left out: {ct}: not a radiograph: CT Image Storage" in told


def test_a_second_export_gives_the_same_files_and_overwrites_none(site: TruthSite, tmp_path: Path) -> None:
    set_truth(site.orthanc, site.store("stable"), "knee_ap", "a", KEYS)
    first, second = tmp_path / "1", tmp_path / "2"
    assert exported(site, first) == exported(site, second)
    again = site.msk("truth", "export", first)
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_an_export_without_any_truth_is_an_error(site: TruthSite, tmp_path: Path) -> None:
    site.store("silent")
    result = site.msk("truth", "export", tmp_path / "out")
    assert result.exit_code == 1
    assert "nothing to export" in result.output


def test_an_exported_folder_goes_into_another_orthanc_with_its_truths(site: TruthSite, tmp_path: Path) -> None:
    said = {"knee_ap": "A", "hand_ap": "B", "": "B"}
    for label, patient in said.items():
        set_truth(site.orthanc, site.store(f"moved {label}", patient), label, "here", KEYS)
    rows = exported(site, tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    with running_orthanc(tmp_path / "elsewhere") as server:
        there = empty_site(server, tmp_path / "other models")
        for _ in range(2):  # twice does no harm
            result = there.msk("truth", "import", tmp_path / "out", "--author", "there")
            assert result.stdout == "3 of 3 truths are set\n"
        instances = there.orthanc.instance_ids(0, 10)
        assert len(instances) == 3
        truths = [there.truth(each) for each in instances]
        assert sorted((each.label or "", each.author, each.history) for each in truths if each) == [
            ("", "there", ()),
            ("hand_ap", "there", ()),
            ("knee_ap", "there", ()),
        ]
        assert len({each.patient for each in there.orthanc.parents_of(instances).values()}) == 2
    assert len(rows) == 3


def test_a_folder_with_something_wrong_is_not_stored_at_all(site: TruthSite, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.dcm").write_bytes(write_dx(dicom_files.gradient(12), header=Header(identity="good"), bits=12))
    (folder / "text.dcm").write_text("not DICOM")
    os.mkfifo(folder / "pipe")
    (tmp_path / "outside.dcm").write_bytes((folder / "good.dcm").read_bytes())
    names = ["good.dcm", "text.dcm", "../outside.dcm", str(tmp_path / "outside.dcm"), "missing.dcm", "", ".", "pipe"]
    (folder / "truth.csv").write_text("file,label\n" + "".join(f"{name},knee_ap\n" for name in names))
    result = site.msk("truth", "import", folder, "--author", "a")
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith("line ")]
    assert told == [
        "line 3: not a DICOM file",
        "line 4: the file is not in the folder",
        "line 5: the file is not in the folder",
        "line 6: the file cannot be read: No such file or directory",
        "line 7: file is empty",
        "line 8: not a file",
        "line 9: not a file",
    ]
    assert site.orthanc.statistics().instances == 0


def test_a_folder_is_imported_as_windows_names_its_files_and_copies_are_one_image(
    site: TruthSite, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    data = write_dx(dicom_files.gradient(12), header=Header(identity="copied"), bits=12)
    for path in ("sub/one.dcm", "two.dcm"):
        (folder / path).write_bytes(data)
    table, outside = folder / "truth.csv", tmp_path / "outside.dcm"
    outside.write_bytes(data)
    table.write_text("file;label\r\n.\\sub\\one.dcm;knee_ap\r\ntwo.dcm;none\r\n..\\outside.dcm;none\r\n")

    refused = site.msk("truth", "import", folder, "--author", "a")

    told = [line for line in refused.stderr.splitlines() if line.startswith("line ")]
    assert told == ["line 3: contradicts line 2, which names the same image", "line 4: the file is not in the folder"]
    table.write_text("file;label\r\n.\\sub\\one.dcm;knee_ap\r\ntwo.dcm;knee_ap\r\n")
    assert site.msk("truth", "import", folder, "--author", "a").stdout == "1 of 1 truths are set\n"


def test_a_file_that_orthanc_refuses_fails_only_its_own_row(site: TruthSite, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    data = write_dx(dicom_files.gradient(12), header=Header(identity="kept"), bits=12)
    (folder / "bad.dcm").write_bytes(bytes(128) + b"DICM" + b"nonsense")
    (folder / "good.dcm").write_bytes(data)
    (folder / "truth.csv").write_text("file,label\nbad.dcm,knee_ap\ngood.dcm,knee_ap\n")
    result = site.msk("truth", "import", folder, "--author", "a")
    assert result.exit_code == 1
    assert "line 2: Orthanc refuses to store the file" in result.stderr
    assert "1 of 2 truths are set" in result.stdout
    assert site.orthanc.statistics().instances == 1


def test_a_wrong_password_is_reported_once(site: TruthSite, tmp_path: Path) -> None:
    set_truth(site.orthanc, site.store("password"), "knee_ap", "a", KEYS)
    exported(site, tmp_path / "out")
    environment = site.environment | {"MSK_ORTHANC_PASSWORD": "wrong"}
    for command in (("import", str(tmp_path / "out"), "--author", "a"), ("show", NOBODY)):
        result = CliRunner().invoke(main, ["truth", *command], env=environment)
        assert result.exit_code == 1
        assert "wrong user or password" in result.output
        assert result.output.count("\n") == 1
