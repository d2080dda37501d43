"""The label task on real servers: the outcome of each kind of file, and the precedence of truths."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import redis
import requests
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from tests import dicom_files
from tests.broker import valkey
from tests.odd_files import odd_files
from tests.servers import Orthanc, running_orthanc
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.queues import BACKFILL, LABEL
from workers.labelling.labeller import MAX_DEATHS, Labeller
from workers.labelling.site import Site
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, TRUTH, Outcome
from workers.pacs import OrthancClient, OrthancError
from workers.reconciliation.relabelling import Wanted, relabel
from workers.settings import Settings

#: MiB that a worker's child may ever take: the interpreter with torch and the model, and decoding on top.
MOST_MEMORY = 1500

EXPECTED = {
    dicom_files.READABLE: {LABELLED, NEEDS_REVIEW},
    dicom_files.SKIPPED: {SKIPPED},
    dicom_files.UNDECODABLE: {FAILED},
}


@dataclass(frozen=True)
class Parts:
    """All parts of a label worker, wired as in a worker."""

    server: Orthanc
    broker_url: str
    orthanc: OrthancClient
    ledger: Ledger
    labeller: Labeller

    @property
    def environment(self) -> dict[str, str]:
        return self.server.access | {
            "MSK_BROKER_URL": self.broker_url,
        }

    def store(self, name: str) -> str:
        pixels = dicom_files.gradient(12, 200, 160)
        return self.orthanc.upload(write_dx(pixels, header=Header(identity=name), bits=12))

    def label(self, *instance_ids: str, owner: str = "run") -> int:
        self.ledger.open(instance_ids, LABEL)
        return self.labeller.label(owner, instance_ids, LABEL, 16).count

    def outcome(self, instance_id: str) -> Outcome:
        return Outcome.from_json(self.orthanc.metadata(instance_id)[PREDICTION])


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    classifier = Classifier.load(Registry(None).promoted(), "cpu")
    with (
        running_orthanc(tmp_path_factory.mktemp("orthanc")) as server,
        valkey(tmp_path_factory.mktemp("valkey")) as broker_url,
    ):
        orthanc = OrthancClient(server.url, server.user, server.password)
        ledger = Ledger(broker_url)
        yield Parts(server, broker_url, orthanc, ledger, Labeller(orthanc, ledger, classifier))
        orthanc.close()


@pytest.fixture
def parts(everything: Parts) -> Parts:
    redis.Redis.from_url(everything.broker_url).flushall()
    return everything


@contextmanager
def worker(parts: Parts) -> Iterator[int]:
    """A real worker with one child; yields the child's process id."""
    command = [sys.executable, "-m", "workers.cli", "worker", "--concurrency", "1", "--device", "cpu"]
    with subprocess.Popen(command, env=os.environ | parts.environment) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            until(lambda: labelling_child(children), seconds=120)
            yield labelling_child(children)
        finally:
            process.terminate()


def labelling_child(children: Path) -> int:
    """Process id of the child that holds the model, recognized by its memory; 0 while there is none."""
    pool = [int(pid) for pid in children.read_text().split() if b"billiard.spawn" in command_line(pid)]
    return next((pid for pid in pool if peak_memory(pid) > 100), 0)


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it has just ended
        return b""


def peak_memory(pid: int) -> int:
    """Peak memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def test_every_kind_of_file_ends_in_the_right_status_and_the_worker_lives(parts: Parts) -> None:
    files = [*dicom_files.valid_files(), *dicom_files.other_files(), *dicom_files.hostile_files()]
    # Orthanc's own DICOM listener refuses these; over HTTP it accepts them.
    only_rest = {"deflated bomb", "truncated HTJ2K", "garbage HTJ2K", "lying HTJ2K SIZ", "HTJ2K precincts"}
    stored = {parts.orthanc.upload(f.data): f for f in files if f.storable or f.name in only_rest}
    assert only_rest <= {file.name for file in stored.values()}
    with worker(parts) as child:
        enqueue(publisher(Settings.from_environment(parts.environment)), parts.ledger, list(stored), LABEL)
        until(lambda: sum(parts.ledger.depth().values()) == 0, seconds=240)
        assert peak_memory(child) < MOST_MEMORY, "and the same child, or it could not be read"
    outcomes = {file: parts.outcome(instance_id) for instance_id, file in stored.items()}
    wrong = {
        file.name: (outcome.status, outcome.reason)
        for file, outcome in outcomes.items()
        if outcome.status not in EXPECTED[file.ending] or file.reason not in (outcome.reason or file.reason)
    }
    assert not wrong
    assert all(outcome.tries == 1 for outcome in outcomes.values())


def test_what_orthanc_shows_is_labelled_and_from_the_same_pixels(parts: Parts) -> None:
    stored = {parts.orthanc.upload(file.data): file for file in odd_files() if file.storable}
    instances = list(stored)
    for first in range(0, len(instances), 16):
        parts.label(*instances[first : first + 16])

    for instance_id, file in stored.items():
        outcome = parts.outcome(instance_id)
        assert outcome.status in (LABELLED, NEEDS_REVIEW), (file.name, outcome.reason)
        shown = requests.get(
            f"{parts.server.url}/instances/{instance_id}/image-uint16",
            auth=(parts.server.user, parts.server.password),
            timeout=30,
        )
        assert np.array_equal(np.array(Image.open(BytesIO(shown.content))), dicom_files.gradient(12)), file.name


def test_surplus_frames_are_said_beside_the_label(parts: Parts) -> None:
    def add_frames(ds: Dataset) -> None:
        ds.PixelData *= 3

    instance_id = parts.orthanc.upload(dicom_files.edited("surplus frames", add_frames))
    parts.label(instance_id)

    outcome = parts.outcome(instance_id)
    assert outcome.status in (LABELLED, NEEDS_REVIEW)
    assert outcome.note == "the pixel data hold 3 frames where the header announces one: the first was read"


def test_an_outcome_has_the_label_the_model_and_the_confidence(parts: Parts) -> None:
    stored = parts.store("plain")
    assert parts.label(stored) == 1
    outcome = parts.outcome(stored)
    assert outcome.status in (LABELLED, NEEDS_REVIEW)
    assert len(outcome.top5) == 5
    assert outcome.confidence == outcome.top5[0][1]
    assert outcome.attachment_md5 == parts.orthanc.file_identity(stored)
    assert outcome.model
    assert outcome.stored_at
    assert datetime.fromisoformat(outcome.stored_at) <= datetime.fromisoformat(outcome.labelled_at)
    assert {"fetch", "decode", "hash", "prepare", "classify", "total"} <= outcome.milliseconds.keys()
    assert len(outcome.pixel_hash) == 32


def test_labelling_the_same_file_again_changes_nothing(parts: Parts) -> None:
    stored = parts.store("again")
    parts.label(stored)
    before = parts.orthanc.metadata(stored)
    assert parts.server.upload(requests_file(parts, stored)) == stored
    parts.label(stored)
    assert parts.orthanc.metadata(stored) == before
    assert parts.ledger.holds([stored]) == set()


def requests_file(parts: Parts, instance_id: str) -> bytes:
    return parts.orthanc.file(instance_id, 1 << 30)


def test_a_truth_is_not_overwritten(parts: Parts) -> None:
    stored = parts.store("truth")
    truth = json.dumps({"label": "elbow_lateral", "author": "reviewer"})
    parts.orthanc.put_metadata(stored, TRUTH, truth)
    parts.label(stored)
    metadata = parts.orthanc.metadata(stored)
    assert metadata[TRUTH] == truth
    assert metadata["MskLabel"] == "elbow_lateral"
    assert parts.outcome(stored).status in (LABELLED, NEEDS_REVIEW), "the model's own opinion is kept beside it"


def test_an_instance_deleted_before_its_turn_leaves_nothing_open(parts: Parts) -> None:
    stored = parts.store("deleted")
    url = f"{parts.server.url}/instances/{stored}"
    requests.delete(url, auth=(parts.server.user, parts.server.password), timeout=10).raise_for_status()
    parts.label(stored)
    assert parts.ledger.holds([stored]) == set()


def test_an_instance_that_kills_workers_fails_alone(parts: Parts) -> None:
    poison, neighbour = parts.store("poison"), parts.store("neighbour")
    parts.ledger.open([poison, neighbour], LABEL)
    for _ in range(MAX_DEATHS):  # a run that begins with it and never ends
        parts.ledger.claim("dead", LABEL, [poison, neighbour], 16)
        parts.ledger.begin("dead", poison)
    parts.label(poison, neighbour, owner="dead")
    assert parts.outcome(poison).status == FAILED
    assert parts.outcome(poison).tries == MAX_DEATHS
    assert parts.outcome(neighbour).status in (LABELLED, NEEDS_REVIEW)


def test_an_orthanc_that_refuses_requests_costs_no_attempt(parts: Parts) -> None:
    stored = parts.store("refused")
    parts.ledger.open([stored], LABEL)
    stranger = OrthancClient(parts.server.url, parts.server.user, "wrong")
    refused = Labeller(stranger, parts.ledger, Classifier.load(Registry(None).promoted(), "cpu"))
    for _ in range(MAX_DEATHS + 1):
        with pytest.raises(OrthancError):
            refused.label("run", [stored], LABEL, 16)
        until(lambda: parts.ledger.due(LABEL, 1), seconds=5)
    parts.label(stored)
    assert parts.outcome(stored).tries == 1


def test_a_run_also_labels_instances_that_wait(parts: Parts) -> None:
    stored = [parts.store(f"chunk-{number}") for number in range(9)]
    parts.ledger.open(stored, BACKFILL)
    assert parts.labeller.label("run", stored[:1], BACKFILL, 4).count == 3
    assert parts.ledger.depth() == {LABEL: 0, BACKFILL: 6, "leased": 0}


def test_a_worker_without_its_device_ends_with_the_reason(parts: Parts) -> None:
    command = [sys.executable, "-m", "workers.cli", "worker", "--device", "cuda:7"]
    environment = os.environ | parts.environment
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "cuda:7" in ended.stderr
    assert "Traceback" not in ended.stderr


def secondary_capture(name: str, modality: str) -> bytes:
    def change(ds: Dataset) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
        ds.Modality = modality

    return dicom_files.edited(name, change)


def test_secondary_capture_is_labelled_or_skipped_by_its_modality(parts: Parts) -> None:
    x_ray = parts.orthanc.upload(secondary_capture("film", "RG"))
    screenshot = parts.orthanc.upload(secondary_capture("screenshot", "OT"))
    fetched = []

    class Counting(OrthancClient):
        def file(self, instance_id: str, max_bytes: int) -> bytes:
            fetched.append(instance_id)
            return super().file(instance_id, max_bytes)

    counting = Counting(parts.server.url, parts.server.user, parts.server.password)
    classifier = Classifier.load(Registry(None).promoted(), "cpu")
    parts.ledger.open([x_ray, screenshot], LABEL)
    Labeller(counting, parts.ledger, classifier).label("run", [x_ray, screenshot], LABEL, 16)

    assert parts.outcome(x_ray).status in (LABELLED, NEEDS_REVIEW)
    skipped = parts.outcome(screenshot)
    assert skipped.status == SKIPPED
    assert skipped.reason == "not a radiograph: Secondary Capture Image Storage with the modality OT"
    assert fetched == [x_ray]


def test_what_a_site_counts_as_a_radiograph_later_is_labelled_by_relabelling(parts: Parts) -> None:
    screenshot = parts.orthanc.upload(secondary_capture("later", "OT"))
    ct = parts.orthanc.upload(next(file.data for file in dicom_files.other_files() if file.name == "CT"))
    parts.label(screenshot, ct)
    celery = publisher(Settings.from_environment(parts.environment))
    environment = parts.environment | {"MSK_RADIOGRAPHS": "CR, DX, SC/OT"}
    kinds = Settings.from_environment(environment).kinds

    relabel(celery, parts.orthanc, parts.ledger, Wanted("none", older=False, failed=False, skipped=kinds))

    waiting = parts.ledger.due(BACKFILL, 1000)
    assert screenshot in waiting and ct not in waiting
    classifier = Classifier.load(Registry(None).promoted(), "cpu")
    Labeller(parts.orthanc, parts.ledger, classifier, Site(kinds)).label("run", [screenshot], BACKFILL, 16)
    assert parts.outcome(screenshot).status in (LABELLED, NEEDS_REVIEW)
    assert parts.outcome(ct).status == SKIPPED
