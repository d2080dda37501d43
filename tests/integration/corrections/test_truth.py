"""Truths with a real Orthanc: set, withdrawn, imported, exported, and written concurrently."""

import csv
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread
from pydicom.dataset import Dataset

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from tests import dicom_files
from tests.servers import Orthanc, running_orthanc
from workers.cli import main
from workers.corrections.finding import truths
from workers.corrections.importing import Assignment, Interrupted, assign
from workers.metadata.outcome import LABELLED, PREDICTION, Outcome
from workers.metadata.shown_label import show_label
from workers.metadata.truth import BadTruth, Truth, TruthConflict, UnknownInstance
from workers.metadata.truth_changes import set_truth, withdraw_truth
from workers.pacs import OrthancClient, OrthancRefused

NOBODY = "00000000-11111111-22222222-33333333-44444444"


@dataclass(frozen=True)
class Site:
    """An Orthanc, a registry, and the commands that reach them."""

    server: Orthanc
    orthanc: OrthancClient
    models: Path

    @property
    def environment(self) -> dict[str, str]:
        return self.server.access | {
            "MSK_BROKER_URL": "redis://127.0.0.1:1/0",
            "MSK_MODELS": str(self.models),
        }

    def msk(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], env=self.environment)

    def store(self, identity: str, patient: str = "P-1234", rows: int = 96) -> str:
        header = Header(identity=identity, study=patient, patient_id=patient, patient_name=f"Quincy^{patient}")
        return self.orthanc.upload(write_dx(dicom_files.gradient(12, rows, 80), header=header, bits=12))

    def truth(self, instance_id: str) -> Truth | None:
        return Truth.of(self.orthanc.metadata(instance_id))

    def label(self, instance_id: str) -> str | None:
        return self.orthanc.metadata(instance_id).get("MskLabel")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


def empty_site(server: Orthanc, models: Path) -> Site:
    site = Site(server, OrthancClient(server.url, server.user, server.password), models)
    for instance_id in site.orthanc.instance_ids(0, 1000):
        site.orthanc._http.request("DELETE", f"instances/{instance_id}")
    return site


@pytest.fixture
def site(servers: Orthanc, tmp_path: Path) -> Site:
    return empty_site(servers, tmp_path / "models")


def test_a_truth_is_kept_with_author_time_and_history_and_shows_at_once(site: Site) -> None:
    stored = site.store("set")
    site.orthanc.put_metadata(stored, "MskLabel", "elbow_ap")
    assert site.msk("truth", "set", stored, "knee_ap", "--author", "first").exit_code == 0
    assert site.label(stored) == "knee_ap"
    assert site.msk("truth", "set", stored, "", "--author", "second").output.endswith("none of the classes\n")
    assert site.label(stored) is None
    said = json.loads(site.msk("truth", "show", stored).output)
    assert (said["label"], said["author"]) == (None, "second")
    assert [(each["label"], each["author"]) for each in said["history"]] == [("knee_ap", "first")]
    assert said["history"][0]["time"] < said["time"]
    assert said["time"].endswith("+00:00")


def test_the_same_truth_again_changes_nothing(site: Site) -> None:
    stored = site.store("again")
    first = set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    assert set_truth(site.orthanc, stored, "knee_ap", " a ", KEYS) == first
    assert set_truth(site.orthanc, stored, "knee_ap", "b", KEYS).history == (first.now,), "another one agrees"


def test_a_withdrawn_truth_leaves_the_model_s_label_and_a_history(site: Site) -> None:
    labelled, silent = site.store("withdrawn"), site.store("withdrawn, never labelled")
    outcome = Outcome(LABELLED, "0" * 32, 1, label="elbow_ap")
    site.orthanc.put_metadata(labelled, PREDICTION, outcome.to_json())
    assert "nobody has said" in site.msk("truth", "withdraw", labelled, "--author", "b").output
    for instance_id in (labelled, silent):
        set_truth(site.orthanc, instance_id, "knee_ap", "a", KEYS)
        for _ in range(2):  # the second time says nothing new
            assert site.msk("truth", "withdraw", instance_id, "--author", "b").output == f"{instance_id}: withdrawn\n"
    assert (site.label(labelled), site.label(silent)) == ("elbow_ap", None)
    said = json.loads(site.msk("truth", "show", labelled).output)
    assert ("label" in said, said["withdrawn"], said["author"]) == (False, True, "b")
    assert [(each["label"], each["author"]) for each in said["history"]] == [("knee_ap", "a")]
    assert truths(site.orthanc) == ({}, {})
    assert truths(site.orthanc, [labelled])[1] == {labelled: "its truth was withdrawn"}
    show_label(site.orthanc, labelled, site.orthanc.metadata(labelled), replace(outcome, label="hand_ap"))
    assert site.label(labelled) == "hand_ap", "a model may say something else"

    set_truth(site.orthanc, labelled, "knee_ap", "b", KEYS)

    assert site.label(labelled) == "knee_ap"
    truth = site.truth(labelled)
    assert truth
    assert [each.withdrawn for each in (*truth.history, truth.now)] == [False, True, False]


def test_a_model_neither_overwrites_nor_hides_a_truth(site: Site) -> None:
    stored = site.store("hidden")
    before = site.orthanc.metadata(stored)
    set_truth(site.orthanc, stored, None, "a", KEYS)
    outcome = Outcome(LABELLED, "0" * 32, 1, label="elbow_ap")
    show_label(site.orthanc, stored, before, outcome)  # a labeller that looked before the person spoke
    assert site.label(stored) is None
    show_label(site.orthanc, stored, before, None)
    assert site.label(stored) is None


def test_without_a_truth_the_outcome_is_shown(site: Site) -> None:
    stored = site.store("shown")
    show_label(site.orthanc, stored, {}, Outcome(LABELLED, "0" * 32, 1, label="elbow_ap"))
    assert site.label(stored) == "elbow_ap"


def test_of_many_concurrent_writes_none_is_lost_and_the_others_are_refused(site: Site) -> None:
    stored = site.store("at once")

    def say(person: int) -> bool:
        try:
            set_truth(site.orthanc, stored, KEYS[person], f"person {person}", KEYS)
        except TruthConflict as conflict:
            assert "at the same moment" in str(conflict)
            return False
        return True

    with ThreadPoolExecutor(8) as people:
        written = [person for person, done in enumerate(people.map(say, range(8))) if done]
    truth = site.truth(stored)
    assert truth is not None
    said = [each.author for each in (*truth.history, truth.now)]
    assert sorted(said) == [f"person {person}" for person in written]
    assert site.label(stored) == truth.label, "what is shown is what was said last"


def test_a_truth_of_other_software_is_not_lost(site: Site) -> None:
    stored = site.store("scribble")
    site.orthanc.put_metadata(stored, "MskTruth", "seen by Dr. Who")
    with pytest.raises(TruthConflict, match="cannot be read"):
        set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    assert site.orthanc.metadata(stored)["MskTruth"] == "seen by Dr. Who"


def test_only_known_classes_instances_and_named_authors_are_taken(site: Site) -> None:
    stored = site.store("checked")
    with pytest.raises(BadTruth, match="knee_lat is not among the classes"):
        set_truth(site.orthanc, stored, "knee_lat", "a", KEYS)
    with pytest.raises(BadTruth, match="1 to 60 letters"):
        set_truth(site.orthanc, stored, "knee ap", "a", ["knee ap"])
    for author in ("", "  ", "x" * 65, "a\nb"):
        with pytest.raises(BadTruth, match="an author is needed"):
            set_truth(site.orthanc, stored, "knee_ap", author, KEYS)
    for nobody in (NOBODY, "../system", ""):
        with pytest.raises(UnknownInstance):
            set_truth(site.orthanc, nobody, "knee_ap", "a", KEYS)
    assert site.truth(stored) is None


def test_a_wrong_password_is_reported_once(site: Site, tmp_path: Path) -> None:
    set_truth(site.orthanc, site.store("password"), "knee_ap", "a", KEYS)
    exported(site, tmp_path / "out")
    environment = site.environment | {"MSK_ORTHANC_PASSWORD": "wrong"}
    for command in (("import", str(tmp_path / "out"), "--author", "a"), ("show", NOBODY)):
        result = CliRunner().invoke(main, ["truth", *command], env=environment)
        assert result.exit_code == 1
        assert "wrong user or password" in result.output
        assert result.output.count("\n") == 1


def test_an_unknown_instance_is_reported_as_unknown(site: Site) -> None:
    for name in (NOBODY, "1.2.3", "Quincy^Jane"):
        for command in (("show", name), ("set", name, "knee_ap", "--author", "a")):
            assert site.msk("truth", *command).output == "Error: Orthanc holds no such instance\n"


def test_a_new_class_is_accepted_if_it_is_declared(site: Site) -> None:
    stored = site.store("wrist")
    refused = site.msk("truth", "set", stored, "wrist_ap", "--author", "a")
    assert refused.exit_code == 1
    assert "wrist_ap is not among the classes" in refused.output
    assert site.msk("truth", "set", stored, "wrist_ap", "--author", "a", "--new-class", "wrist_ap").exit_code == 0
    assert site.label(stored) == "wrist_ap"


def test_a_server_without_our_metadata_is_an_error_that_names_what_is_missing(site: Site) -> None:
    stored = site.store("unregistered")
    with pytest.raises(OrthancRefused, match="UserMetadata"):
        site.orthanc.replace_metadata(stored, "NotRegistered", None, "x")


def test_a_csv_by_instance_and_one_by_uid_are_imported(site: Site, tmp_path: Path) -> None:
    one, two = site.store("one"), site.store("two")
    uid = dcmread(BytesIO(site.orthanc.file(two, 1 << 30)), stop_before_pixels=True).SOPInstanceUID
    by_instance, by_uid = tmp_path / "a.csv", tmp_path / "b.csv"
    by_instance.write_text(f"instance,label,remark\n{one},knee_ap,clear\n{two},,no idea\n")
    by_uid.write_bytes(f"\ufefflabel;SOPInstanceUID\r\nhand_ap;{uid}\r\n".encode())
    assert site.msk("truth", "import", by_instance, "--author", "a").stdout == "2 of 2 truths are set\n"
    assert (site.label(one), site.label(two)) == ("knee_ap", None)
    assert site.msk("truth", "import", by_uid, "--author", "b").stdout == "1 of 1 truths are set\n"
    assert site.label(two) == "hand_ap"
    assert [each.label for each in site.truth(two).history] == [None]  # type: ignore[union-attr]


def test_a_uid_that_two_patients_share_names_nobody(site: Site, tmp_path: Path) -> None:
    site.store("shared", "A"), site.store("shared", "B")
    instance_id = site.orthanc.instance_ids(0, 1)[0]
    uid = dcmread(BytesIO(site.orthanc.file(instance_id, 1 << 30)), stop_before_pixels=True).SOPInstanceUID
    assert site.orthanc.statistics().instances == 2
    table = tmp_path / "table.csv"
    table.write_text(f"SOPInstanceUID,label\n{uid},knee_ap\n1.2.3,knee_ap\nQuincy^*,knee_ap\n")
    told = site.msk("truth", "import", table, "--author", "a").stderr
    assert "line 2: several instances share this SOP Instance UID" in told
    assert "line 3: Orthanc holds no such instance" in told
    assert "line 4: Orthanc holds no such instance" in told
    alone = site.msk("truth", "set", uid, "knee_ap", "--author", "a")
    assert "several instances share" in alone.output


def test_every_bad_row_is_named_and_nothing_is_written(site: Site, tmp_path: Path) -> None:
    good, other, scribbled = site.store("good"), site.store("other"), site.store("scribbled")
    site.orthanc.put_metadata(scribbled, "MskTruth", "{}")
    table = tmp_path / "bad.csv"
    lines = [
        "instance,label",
        f"{good},knee_ap",
        f"{good},knee_app",
        f"{NOBODY},knee_ap",
        "Quincy^Jane,knee_ap",
        f"{good},Quincy^Jane",
        f"{other}",
        f"{other},knee_ap,more",
        ",knee_ap",
        f"{good},elbow_ap",
        f"{scribbled},knee_ap",
    ]
    table.write_text("\n".join(lines))
    result = site.msk("truth", "import", table, "--author", "a")
    assert result.exit_code == 1
    told = dict(line.split(": ", 1) for line in result.stderr.splitlines() if line.startswith("line "))
    assert list(told) == [f"line {number}" for number in range(3, 12)]
    assert told["line 3"].startswith("knee_app is not among the classes")
    assert told["line 4"] == told["line 5"] == "Orthanc holds no such instance"
    assert told["line 6"].startswith("the label is not among the classes")
    assert told["line 7"] == told["line 8"] == "the number of fields differs from the first line"
    assert told["line 9"] == "instance is empty"
    assert told["line 10"] == "contradicts line 2, which names the same image"
    assert "cannot be read" in told["line 11"]
    assert "nothing was changed: 9 of 10 rows" in result.stderr
    assert "Quincy" not in result.output
    assert site.truth(good) is None
    assert site.truth(other) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must name the columns label and instance or SOPInstanceUID"),
        (b"instance,label\n", "holds no rows"),
        (b"file,label\nx,knee_ap\n", "must name the columns"),
        ("instance,label\nx,knee_ap\n".encode("utf-16"), "UTF-8"),
        (b'instance,label\n"x,knee_ap\n', "is no CSV: line"),
        (bytes(range(256)), "UTF-8"),
        (b"instance,label\n" + b"x" * 200_000 + b",\n", "is no CSV: line"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(site: Site, tmp_path: Path, content: bytes, reason: str) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    result = site.msk("truth", "import", table, "--author", "a")
    assert result.exit_code == 1
    assert reason in result.output
    assert result.output.count("\n") == 1


def test_a_table_may_come_from_a_pipe(site: Site, tmp_path: Path) -> None:
    stored, pipe = site.store("pipe"), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_text, f"instance,label\n{stored},knee_ap\n")
        assert site.msk("truth", "import", pipe, "--author", "a").stdout == "1 of 1 truths are set\n"


def test_an_export_as_csv_can_be_imported(site: Site, tmp_path: Path) -> None:
    stored, none = site.store("csv"), site.store("csv none")
    site.store("nobody said anything")
    set_truth(site.orthanc, stored, "knee_ap", "a", KEYS)
    set_truth(site.orthanc, none, None, "b", KEYS)
    table = tmp_path / "truths.csv"
    assert site.msk("truth", "export", table).stdout == f"2 truths in {table}\n"
    with table.open(newline="") as file:
        rows = {row["instance"]: (row["label"], row["author"]) for row in csv.DictReader(file)}
    assert rows == {stored: ("knee_ap", "a"), none: ("", "b")}
    assert site.msk("truth", "import", table, "--author", "c").stdout == "2 of 2 truths are set\n"


def test_a_truth_set_since_a_table_was_exported_is_not_overwritten(site: Site, tmp_path: Path) -> None:
    spoken, same, withdrawn = (site.store(name) for name in ("spoken", "same", "withdrawn"))
    for each in (spoken, same, withdrawn):
        set_truth(site.orthanc, each, "knee_ap", "a", KEYS)
    table = tmp_path / "truths.csv"
    site.msk("truth", "export", table)
    table.write_text(table.read_text().replace("knee_ap", "foot_ap"))
    set_truth(site.orthanc, spoken, "hand_ap", "b", KEYS)
    set_truth(site.orthanc, same, "foot_ap", "b", KEYS)
    withdraw_truth(site.orthanc, withdrawn, "b")

    refused = site.msk("truth", "import", table, "--author", "c")

    assert refused.exit_code == 1
    assert "its truth was set to hand_ap at 20" in refused.output
    assert "its truth was withdrawn at 20" in refused.output
    assert refused.output.count("after the row's time") == 2
    assert site.label(spoken) == "hand_ap"
    with table.open(newline="") as file:
        rows = [(row["instance"], row["label"]) for row in csv.DictReader(file)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("instance", "label"), *rows])
    assert site.msk("truth", "import", table, "--author", "c").exit_code == 0
    assert site.label(spoken) == "foot_ap"


def test_a_dead_orthanc_ends_an_import_with_how_far_it_came(site: Site) -> None:
    stored = [site.store(f"dead {number}") for number in range(3)]
    assignments = [Assignment(line, each, "knee_ap") for line, each in enumerate(stored, 2)]

    def cut(done: int) -> None:
        if done == 2:
            site.server.kill()

    try:
        with pytest.raises(Interrupted, match="2 of 3 rows are written, then Orthanc failed"):
            assign(site.orthanc, assignments, "a", KEYS, cut)
    finally:
        site.server.start()
    assert assign(site.orthanc, assignments, "a", KEYS, lambda _: None) == []
    assert [site.truth(each).history for each in stored] == [(), (), ()]  # type: ignore[union-attr]


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


def exported(site: Site, folder: Path) -> list[dict[str, str]]:
    result = site.msk("truth", "export", folder)
    assert result.exit_code == 0, result.output
    with (folder / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_exported_folder_names_no_patient_and_keeps_a_patient_s_images_together(site: Site, tmp_path: Path) -> None:
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


def test_what_is_left_out_of_an_export_is_named_with_the_reason(site: Site, tmp_path: Path) -> None:
    burned = site.orthanc.upload(dicom_files.edited("burned", burned_in))
    ct = site.orthanc.upload(next(file.data for file in dicom_files.other_files() if file.name == "CT"))
    for instance_id in (burned, ct, site.store("good")):
        set_truth(site.orthanc, instance_id, None, "reviewer", KEYS)
    told = site.msk("truth", "export", tmp_path / "out").stderr
    assert f"left out: {burned}: its header says that a name may be burned in" in told
    assert f"left out: {ct}: not a radiograph: CT Image Storage" in told


def test_a_second_export_gives_the_same_files_and_overwrites_none(site: Site, tmp_path: Path) -> None:
    set_truth(site.orthanc, site.store("stable"), "knee_ap", "a", KEYS)
    first, second = tmp_path / "1", tmp_path / "2"
    assert exported(site, first) == exported(site, second)
    again = site.msk("truth", "export", first)
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_an_export_without_any_truth_is_an_error(site: Site, tmp_path: Path) -> None:
    site.store("silent")
    result = site.msk("truth", "export", tmp_path / "out")
    assert result.exit_code == 1
    assert "nothing to export" in result.output


def test_an_exported_folder_goes_into_another_orthanc_with_its_truths(site: Site, tmp_path: Path) -> None:
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


def test_a_folder_with_something_wrong_is_not_stored_at_all(site: Site, tmp_path: Path) -> None:
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


def test_a_file_that_orthanc_refuses_fails_only_its_own_row(site: Site, tmp_path: Path) -> None:
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
