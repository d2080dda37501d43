"""Processes at their start: what is away is waited for, what is unfit stops them, what costs something is told."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mskmodel.dicom.writing import Header, write_dx
from tests.integration.surroundings.conftest import as_user
from tests.servers import Orthanc, free_port, new_webhook_secret
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.messages import hint_jobs
from workers.broker.ping import worker_answers
from workers.broker.queues import BACKFILL, LABEL, MAINTENANCE, TRAIN
from workers.jobs.request import JobRequest
from workers.jobs.store import FAILED, JobStore
from workers.pacs import OrthancClient
from workers.settings import KEY_PREFIX, Settings
from workers.surroundings.permissions import wanted

BEAT = ("worker", "--queues", "maintenance", "--beat")


class Process:
    """`msk` with these arguments; what it writes is kept."""

    def __init__(self, running: "subprocess.Popen[bytes]", log: Path) -> None:
        self.running, self._log = running, log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def ends(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self.running.wait(30)


@contextmanager
def msk(folder: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[Process]:
    log = folder / f"{'-'.join(arguments[:3]).replace(',', '-')}.log"
    command = (sys.executable, "-P", "-m", "workers.cli", *arguments)
    with (
        log.open("wb") as file,
        subprocess.Popen(command, env=os.environ | environment, stdout=file, stderr=file) as it,
    ):
        try:
            yield Process(it, log)
        finally:
            it.terminate()


class Site:
    """An Orthanc that is not started yet, and would post to a gateway on `port`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port, self.secret = free_port(), new_webhook_secret()
        webhook = {"webhook_url": f"http://127.0.0.1:{self.port}/hooks/orthanc", "webhook_secret": self.secret}
        self.orthanc = Orthanc(folder, **webhook)

    def environment(self, url: str) -> dict[str, str]:
        return {**self.orthanc.access, "MSK_BROKER_URL": url, "MSK_WEBHOOK_SECRET": self.secret}

    @property
    def gateway(self) -> tuple[str, ...]:
        return ("gateway", "--port", str(self.port))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "orthanc")
    yield site
    site.orthanc.kill()


@pytest.mark.usefixtures("broker")
def test_a_server_that_is_away_is_waited_for_and_looked_at_when_it_is_there(
    tmp_path: Path, site: Site, url: str
) -> None:
    site.orthanc.changes = {
        '"MskTruth": 1102': '"Other": 1102',
        '"OverwriteInstances": false': '"OverwriteInstances": true',
    }
    there = site.environment(url)
    with msk(tmp_path, there, *BEAT) as beat, msk(tmp_path, there, *site.gateway) as receiver:
        # Given an Orthanc that is away, I expect both to begin their work
        until(lambda: worker_answers(Settings.from_environment(there), "maintenance", 1))
        until(lambda: "Application startup complete" in receiver.said)
        # When it is there, and its configuration makes the work impossible, I expect both to end and to say why
        site.orthanc.start()
        for process in (beat, receiver):
            assert process.ends() == 1
            assert process.said.count("surroundings-awaited orthanc") == 1
            assert "surroundings-costly Orthanc's OverwriteInstances: true" in process.said
            assert "Error: Orthanc's UserMetadata: MskTruth not registered" in process.said


@pytest.mark.usefixtures("broker")
def test_a_password_that_is_wrong_stops_the_start(tmp_path: Path, site: Site, url: str) -> None:
    site.orthanc.start()
    wrong = {**site.environment(url), "MSK_ORTHANC_PASSWORD": "wrong"}
    with msk(tmp_path, wrong, *BEAT) as beat, msk(tmp_path, wrong, *site.gateway) as receiver:
        for process in (beat, receiver):
            assert process.ends() == 1
            assert "Error: Orthanc: GET /system: status 401" in process.said


def test_the_whole_path_works_with_the_documented_user_and_nothing_of_ours_is_refused(
    tmp_path: Path, site: Site, broker: Any, url: str
) -> None:
    rules = wanted("narrow", KEY_PREFIX, 0).split()[3:]
    there = site.environment(as_user(broker, url, *rules))
    settings = Settings.from_environment(there)
    site.orthanc.start()
    broker.acl_log_reset()
    with (
        msk(tmp_path, there, *site.gateway),
        msk(tmp_path, there, "worker", "--concurrency", "1", "--device", "cpu"),
        msk(tmp_path, there, "worker", "--queues", "train"),
        msk(tmp_path, there, *BEAT),
    ):
        # A radiograph, from the webhook to the label
        client = OrthancClient.of(settings)
        pixels = np.zeros((64, 64), np.uint8)
        instance = site.orthanc.upload(write_dx(pixels, header=Header(identity="narrow"), bits=8))
        until(lambda: "MskPrediction" in client.metadata(instance), 90)
        # A training job, which fails for want of a registry
        store = JobStore.of(settings)
        job_id = store.submit(JobRequest.of({"rehearsal": 0}), "anna")
        hint_jobs(publisher(settings), 1)
        until(lambda: (job := store.find(job_id)) and job.state == FAILED, 60)
        # And control commands
        assert all(worker_answers(settings, name, 5) for name in ("label", "train", "maintenance"))
    # What waits under names of before the prefix is looked for, where a user may do so.
    refused = {entry["object"] for entry in broker.acl_log()}
    assert refused <= {LABEL, BACKFILL, TRAIN, MAINTENANCE}
