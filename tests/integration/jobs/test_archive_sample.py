"""A sample of the archive, with a real Orthanc: which instances are in it, and that it stays as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mskmodel.data.dataset import Pictures
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from mskmodel.network.preprocessing import Preprocessing
from tests import dicom_files
from tests.servers import Orthanc, running_orthanc
from workers.jobs import archive_sample as module
from workers.jobs.archive_sample import archive_sample
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture
def orthanc(server: Orthanc) -> OrthancClient:
    return OrthancClient(server.url, server.user, server.password)


def store(orthanc: OrthancClient, number: int, status: str | None) -> str:
    """Store an image, darker with each number, with an outcome of this status."""
    pixels = dicom_files.gradient(12, 96, 80)
    pixels[: 2 * number] = 0
    instance_id = orthanc.upload(write_dx(pixels, header=Header(identity=str(number)), bits=12))
    if status:
        orthanc.put_metadata(instance_id, PREDICTION, Outcome(status, "", 1).to_json())
    return instance_id


def sampled(orthanc: OrthancClient, folder: Path, seed: int = 1) -> Pictures:
    path = folder / f"archive-{seed}.npz"
    return archive_sample(orthanc, folder, path, Preprocessing(), seed, lambda *_: None, BY_DEFAULT)


def test_it_holds_what_a_model_has_answered_and_nobody_has_looked_at(orthanc: OrthancClient, tmp_path: Path) -> None:
    for number, status in enumerate((LABELLED, NEEDS_REVIEW, SKIPPED, FAILED, None, LABELLED)):
        instance_id = store(orthanc, number, status)
    set_truth(orthanc, instance_id, "knee_ap", "reviewer", KEYS)

    found = sampled(orthanc, tmp_path)

    assert len(found) == 2
    store(orthanc, 9, LABELLED)
    assert sampled(orthanc, tmp_path).digest() == found.digest(), "fixed for a job"
    assert len(sampled(orthanc, tmp_path, seed=2)) == 3


def test_it_is_bounded_and_another_seed_draws_others(
    orthanc: OrthancClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 4)
    monkeypatch.setattr(module, "_PAGE", 2)
    for number in range(16):
        store(orthanc, number, LABELLED)

    first, second = (sampled(orthanc, tmp_path, seed) for seed in (1, 2))

    assert len(first) == len(second) == 4
    assert first.digest() != second.digest()


def test_an_archive_that_is_all_corrected_has_none(orthanc: OrthancClient, tmp_path: Path) -> None:
    set_truth(orthanc, store(orthanc, 1, LABELLED), "knee_ap", "reviewer", KEYS)

    assert len(sampled(orthanc, tmp_path)) == 0
