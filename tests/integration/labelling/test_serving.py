"""Promotion, relabelling and rollback, on real servers and two real workers that share a registry."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.registry import SHIPPED, Registry, read_manifest
from tests import dicom_files
from tests.broker import valkey
from tests.model_versions import register_saying
from tests.servers import running_orthanc
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.queues import BACKFILL, LABEL
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import LABEL_METADATA, LABELLED, PREDICTION, TRUTH, Outcome
from workers.pacs import OrthancClient
from workers.reconciliation.relabelling import Wanted, relabel
from workers.settings import Settings

SHIPPED_VERSION = str(read_manifest(SHIPPED)["version"])
#: Seconds within which a worker follows a promotion.
PROMPT = 10
HOSTS = ("one", "two")


@dataclass(frozen=True)
class Site:
    """Two label workers, as on two hosts, on one Orthanc, one broker and one registry."""

    environment: dict[str, str]
    orthanc: OrthancClient
    ledger: Ledger
    registry: Registry
    logs: Path

    def msk(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workers.cli", *arguments]
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=check, timeout=240
        )

    def store(self, *names: str) -> list[str]:
        pixels = dicom_files.gradient(12, 120, 100)
        return [self.orthanc.upload(write_dx(pixels, header=Header(identity=name), bits=12)) for name in names]

    def enqueue(self, instance_ids: list[str], queue: str = LABEL) -> None:
        enqueue(publisher(Settings.from_environment(self.environment)), self.ledger, instance_ids, queue)

    def label(self, *names: str) -> list[Outcome]:
        """Store an instance and wait for its outcome."""
        stored = self.store(*names)
        self.enqueue(stored)
        until(lambda: not self.ledger.holds(stored), seconds=60)
        return [self.outcome(instance_id) for instance_id in stored]

    def outcome(self, instance_id: str) -> Outcome:
        return Outcome.from_json(self.orthanc.metadata(instance_id)[PREDICTION])

    def log(self) -> str:
        return "".join(path.read_text() for path in self.logs.iterdir())

    def loaded(self, version: str) -> int:
        """How many of the workers have loaded a version."""
        return self.log().count(f"model-loaded version={version}")

    def wait_for_both(self, version: str) -> None:
        """Store studies until each worker has labelled one of them with the version."""
        numbers = itertools.count()
        until(lambda: self.loaded(version) == len(HOSTS) or not self.label(f"{version} {next(numbers)}"), PROMPT)


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(running_orthanc(folder / "orthanc"))
        broker_url = stack.enter_context(valkey(folder / "valkey"))
        environment = server.access | {
            "MSK_BROKER_URL": broker_url,
            "MSK_MODELS": str(folder / "models"),
        }
        for host in HOSTS:
            command = [sys.executable, "-m", "workers.cli", "worker", "--concurrency", "1", "--device", "cpu"]
            log = stack.enter_context((logs / host).open("w"))
            worker = subprocess.Popen([*command, "--name", host], env=os.environ | environment, stderr=log)
            stack.callback(worker.wait, 60)
            stack.callback(worker.terminate)
        until(lambda: all(f"{host}@" in (logs / host).read_text() for host in HOSTS), seconds=120)
        orthanc = OrthancClient(server.url, server.user, server.password)
        stack.callback(orthanc.close)
        yield Site(environment, orthanc, Ledger(broker_url), Registry(folder / "models"), logs)


@pytest.fixture
def site(whole_site: Site) -> Site:
    """The shipped version is served."""
    whole_site.registry.promote("shipped")
    return whole_site


def test_older_labels_are_made_again_and_truths_stay(site: Site) -> None:
    feet, knees = (register_saying(site.registry, label) for label in ("foot_ap", "knee_ap"))
    site.registry.promote(feet)
    stored = site.store(*(f"older {number}" for number in range(24)))
    truth = json.dumps({"label": "elbow_lateral", "author": "reviewer", "time": "2026-01-01T00:00:00Z", "history": []})
    site.orthanc.put_metadata(stored[0], TRUTH, truth)
    site.enqueue(stored)
    until(lambda: not site.ledger.holds(stored), seconds=60)
    assert {site.outcome(instance_id).model for instance_id in stored} == {feet}
    site.registry.promote(knees)

    first = json.loads(site.msk("relabel", "--older", "--wait", "--json").stdout)

    assert first["enqueued"] >= len(stored)
    outcomes = [site.outcome(instance_id) for instance_id in stored]
    assert {(outcome.model, outcome.label) for outcome in outcomes} == {(knees, "knee_ap")}
    metadata = site.orthanc.metadata(stored[0])
    assert metadata[TRUTH] == truth
    assert metadata[LABEL_METADATA] == "elbow_lateral"
    before = site.orthanc.metadata(stored[1])
    again = json.loads(site.msk("relabel", "--older", "--json").stdout)
    assert (again["enqueued"], again["waiting"]) == (0, 0)
    assert again["current"] >= len(stored)
    assert site.orthanc.metadata(stored[1]) == before


def test_both_workers_follow_a_promotion_and_a_rollback(site: Site) -> None:
    assert site.label("before")[0].model == SHIPPED_VERSION
    knees = register_saying(site.registry, "knee_ap")

    site.msk("models", "promote", knees)
    after = site.label(*(f"after {number}" for number in range(20)))
    assert {(outcome.model, outcome.label) for outcome in after} == {(knees, "knee_ap")}
    site.wait_for_both(knees)

    assert SHIPPED_VERSION in site.msk("models", "rollback").stdout
    assert {outcome.model for outcome in site.label("back 1", "back 2")} == {SHIPPED_VERSION}


def test_an_instance_labelled_while_versions_change_names_its_version(site: Site) -> None:
    said = {register_saying(site.registry, label): label for label in ("knee_ap", "foot_ap")}
    stored = site.store(*(f"busy {number}" for number in range(64)))
    first, second = said
    before, meanwhile, after = stored[:16], stored[16:48], stored[48:]
    site.registry.promote(first)
    site.enqueue(before)
    until(lambda: not site.ledger.holds(before), seconds=60)
    site.enqueue(meanwhile)
    site.registry.promote(second)
    site.enqueue(after)
    until(lambda: not site.ledger.holds(stored), seconds=60)

    outcomes = [site.outcome(instance_id) for instance_id in stored]

    assert {outcome.model for outcome in outcomes} == {first, second}
    assert all(outcome.model and outcome.label == said[outcome.model] for outcome in outcomes)
    assert all(outcome.tries == 1 for outcome in outcomes)


def test_a_broken_version_is_not_served_and_each_worker_logs_it_once(site: Site) -> None:
    good, bad = (register_saying(site.registry, label) for label in ("knee_ap", "foot_ap"))
    site.registry.promote(good)
    site.wait_for_both(good)
    site.registry.promote(bad)
    shutil.rmtree(site.registry.find(bad))

    def complaints() -> int:
        return sum("model-not-loaded" in line and bad in line for line in site.log().splitlines())

    numbers = itertools.count()
    until(lambda: complaints() == len(HOSTS) or not site.label(f"broken {next(numbers)}"), PROMPT)
    outcomes = [outcome for number in range(4) for outcome in site.label(*(f"{number} {each}" for each in "abcdef"))]

    assert {outcome.model for outcome in outcomes} == {good}
    assert complaints() == len(HOSTS)
    assert site.registry.rollback() == good


def test_a_new_study_does_not_wait_for_the_archive(site: Site) -> None:
    feet = register_saying(site.registry, "foot_ap")
    site.registry.promote(feet)
    site.wait_for_both(feet)
    archive = site.store(*(f"archive {number}" for number in range(120)))
    for instance_id in archive:
        old = Outcome(LABELLED, "0" * 32, 1, label="hand_ap", model=SHIPPED_VERSION)
        site.orthanc.put_metadata(instance_id, PREDICTION, old.to_json())
    celery = publisher(Settings.from_environment(site.environment))
    assert relabel(celery, site.orthanc, site.ledger, Wanted(feet, older=True, failed=False)).enqueued >= len(archive)

    (new,) = site.label("new study")

    assert new.label == "foot_ap"
    assert site.ledger.depth()[BACKFILL] > len(archive) / 3, "the archive is far from done"
    until(lambda: not site.ledger.holds(archive), seconds=120)
    assert {site.outcome(instance_id).label for instance_id in archive} == {"foot_ap"}


def test_a_rollback_without_an_earlier_version_is_a_one_line_error(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workers.cli", "models", "rollback"]
    environment = os.environ | site.environment | {"MSK_MODELS": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "nothing was served before" in ended.stderr
    assert "Traceback" not in ended.stderr
