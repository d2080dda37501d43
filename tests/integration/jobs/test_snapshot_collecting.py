"""Snapshots from a real Orthanc: what is in them, what is left out and why, and what is fetched again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mskmodel.data.patient_key import SiteSecret
from mskmodel.data.snapshot import Snapshot, SnapshotError
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from mskmodel.network.preprocessing import Preprocessing
from tests import dicom_files
from tests.servers import Orthanc, running_orthanc
from workers.jobs import snapshot_collecting
from workers.jobs.snapshot_collecting import collect_snapshot
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient, OrthancUnavailable

NOBODY = "00000000-11111111-22222222-33333333-44444444"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def orthanc(server: Orthanc) -> OrthancClient:
    """An Orthanc without any instance."""
    client = OrthancClient(server.url, server.user, server.password)
    for instance_id in client.instance_ids(0, 1000):
        delete(server, instance_id)
    return client


def delete(server: Orthanc, instance_id: str) -> None:
    url = f"{server.url}/instances/{instance_id}"
    requests.delete(url, auth=(server.user, server.password), timeout=10).raise_for_status()


def store(orthanc: OrthancClient, identity: str, label: str | None = "knee_ap", patient: str = "P") -> str:
    header = Header(identity=identity, study=patient, patient_id=f"MRN#{patient}", patient_name=f"Quincy^{patient}")
    instance_id = orthanc.upload(write_dx(dicom_files.gradient(12, 96, 80), header=header, bits=12))
    set_truth(orthanc, instance_id, label, "reviewer", KEYS)
    return instance_id


def collect(orthanc: OrthancClient, folder: Path, instances: list[str] | None = None, name: str = "job") -> Snapshot:
    return collect_snapshot(orthanc, folder, folder / "jobs" / name, KEYS, Preprocessing(), instances)


def test_every_instance_with_a_truth_is_in_it_and_no_patient_is_named(orthanc: OrthancClient, tmp_path: Path) -> None:
    stored = {store(orthanc, f"{patient} {number}", None, patient) for patient in "ABCDEF" for number in range(2)}
    orthanc.upload(write_dx(dicom_files.gradient(12), header=Header(identity="nobody said anything"), bits=12))
    snapshot = collect(orthanc, tmp_path)
    assert {row.instance for row in snapshot.rows} == stored
    assert {row.label for row in snapshot.rows} == {None}
    assert len({row.patient for row in snapshot.rows}) == 6
    assert [row.md5 for row in snapshot.rows] == [orthanc.file_identity(row.instance) for row in snapshot.rows]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"MRN#" not in written
    assert b"Quincy" not in written
    assert b"reviewer" not in written


def test_what_cannot_be_used_is_left_out_with_the_reason(
    server: Orthanc, orthanc: OrthancClient, tmp_path: Path
) -> None:
    good, silent = store(orthanc, "good"), orthanc.upload(dicom_files.edited("silent"))
    broken = {file.name: orthanc.upload(file.data) for file in dicom_files.hostile_files() if file.storable}
    for instance_id in broken.values():
        set_truth(orthanc, instance_id, "knee_ap", "reviewer", KEYS)
    scribbled = orthanc.upload(dicom_files.edited("scribbled"))
    orthanc.put_metadata(scribbled, "MskTruth", "Quincy^Jane")
    gone = store(orthanc, "gone")
    delete(server, gone)
    snapshot = collect(orthanc, tmp_path, [good, silent, *broken.values(), scribbled, gone, NOBODY, "../system", good])
    assert [row.instance for row in snapshot.rows] == [good]
    reasons = {each.instance: each.reason for each in snapshot.left_out}
    assert reasons[silent] == "nobody has said what it shows"
    assert reasons[gone] == reasons[NOBODY] == reasons["../system"] == "Orthanc holds no such instance"
    assert reasons[scribbled] == "its MskTruth cannot be read"
    assert reasons[broken["short pixel data"]].endswith("cut short: 1,000 of 15,360 bytes")
    assert len(reasons) == len(broken) + 5
    assert not any("Quincy" in reason for reason in reasons.values())


def test_an_image_that_orthanc_does_not_deliver_is_left_out_and_one_that_it_delivers_later_is_not(
    server: Orthanc, orthanc: OrthancClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [store(orthanc, str(number)) for number in range(4)]
    lost, late = (attachment(server, instance_id) for instance_id in sorted(stored)[:2])
    lost.unlink()
    late.rename(tmp_path / "late")
    start_again(server)
    monkeypatch.setattr(snapshot_collecting.time, "sleep", lambda _: (tmp_path / "late").rename(late))
    monkeypatch.setattr(snapshot_collecting, "TRIES", 2)

    snapshot = collect(orthanc, tmp_path)

    assert {row.instance for row in snapshot.rows} == set(sorted(stored)[1:])
    (left_out,) = snapshot.left_out
    assert left_out.instance == sorted(stored)[0]
    assert left_out.reason.startswith("Orthanc does not deliver it: ")


def test_an_orthanc_that_delivers_no_file_at_all_costs_no_image(
    server: Orthanc, orthanc: OrthancClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        attachment(server, store(orthanc, str(number))).unlink()
    start_again(server)
    monkeypatch.setattr(snapshot_collecting, "PAUSE_SECONDS", 0)

    with pytest.raises(OrthancUnavailable):
        collect(orthanc, tmp_path)


def start_again(server: Orthanc) -> None:
    """Let it forget the files that it keeps in memory."""
    server.stop()
    server.start()


def attachment(server: Orthanc, instance_id: str) -> Path:
    """The file of an instance in Orthanc's storage."""
    url = f"{server.url}/instances/{instance_id}/attachments/dicom/info"
    uuid = requests.get(url, auth=(server.user, server.password), timeout=10).json()["Uuid"]
    return server.data / "storage" / uuid[:2] / uuid[2:4] / uuid


def test_nothing_to_learn_from_is_an_error(orthanc: OrthancClient, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no image can be trained on"):
        collect(orthanc, tmp_path)


def test_the_next_snapshot_fetches_only_what_is_new(
    orthanc: OrthancClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {store(orthanc, "1"), store(orthanc, "2")}
    collect(orthanc, tmp_path, name="1")
    new = store(orthanc, "3")
    fetched = []
    file = OrthancClient.file

    def recorded(client: OrthancClient, instance_id: str, max_bytes: int) -> bytes:
        fetched.append(instance_id)
        return file(client, instance_id, max_bytes)

    monkeypatch.setattr(OrthancClient, "file", recorded)
    assert {row.instance for row in collect(orthanc, tmp_path, name="2").rows} == first | {new}
    assert fetched == [new]


def test_a_corrected_label_is_in_the_next_snapshot_and_not_in_the_last(orthanc: OrthancClient, tmp_path: Path) -> None:
    stored = store(orthanc, "corrected", "knee_ap")
    before = collect(orthanc, tmp_path, name="1")
    set_truth(orthanc, stored, "elbow_ap", "reviewer", KEYS)
    after = collect(orthanc, tmp_path, name="2")
    assert (before.rows[0].label, after.rows[0].label) == ("knee_ap", "elbow_ap")
    assert Snapshot(before.directory).digest == before.digest != after.digest
    assert before.rows[0].patient == after.rows[0].patient


def test_a_dead_orthanc_ends_a_snapshot_and_the_next_one_reuses_what_was_read(
    server: Orthanc, orthanc: OrthancClient, tmp_path: Path
) -> None:
    stored = [store(orthanc, str(number)) for number in range(3)]

    def cut(step: str, done: int, _total: int) -> None:
        if (step, done) == ("reading images", 2):
            server.kill()

    try:
        with pytest.raises(OrthancUnavailable):
            collect_snapshot(orthanc, tmp_path, tmp_path / "job", KEYS, Preprocessing(), progress=cut)
        assert len(list((tmp_path / "pixels").rglob("*.npy"))) == 2
    finally:
        server.start()
    snapshot = collect_snapshot(orthanc, tmp_path, tmp_path / "job", KEYS, Preprocessing())
    assert {row.instance for row in snapshot.rows} == set(stored)


def test_patients_keep_their_keys_in_another_orthanc(orthanc: OrthancClient, tmp_path: Path) -> None:
    stored = store(orthanc, "stable", patient="A")
    (row,) = collect(orthanc, tmp_path).rows
    patient = orthanc.parents_of([stored])[stored].patient
    assert row.patient == SiteSecret.of(tmp_path).patient(patient)
