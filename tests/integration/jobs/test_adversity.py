"""A training job on a real Orthanc and a real Valkey, from which disk, registry and broker are taken away meanwhile."""

import json
import os
import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.training_site import CLASSES, Site, training_children
from tests.waiting import until
from workers.jobs.store import FAILED, PROMOTED, REFUSED, Job
from workers.jobs.watch import do_next

#: Seconds that a step of a job may take on a busy machine.
PATIENCE = 120.0
#: Bytes of a file that stand for a full disk: less than a checkpoint has.
LITTLE = 200_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site.opened(tmp_path_factory.mktemp("site"), 30) as site:
        yield site


@contextmanager
def doing(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Thread]:
    """As a train worker does, in a thread of this process: take up what there is, and do the next job."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    stopping = threading.Event()
    thread = threading.Thread(target=do_next, args=(site.store, site.registry.root, stopping.is_set))
    thread.start()
    try:
        yield thread
    finally:
        stopping.set()
        thread.join()


def limit_files(pid: int, size: int) -> None:
    """Let a process write no file of more bytes."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def said(site: Site, job_id: str) -> list[str]:
    return [text for _, text in site.job(job_id).log]


def waits_for(site: Site, job_id: str, phase: str) -> Job:
    until(lambda: site.job(job_id).phase == phase, PATIENCE)
    return site.job(job_id)


def test_a_job_outlasts_a_full_disk_an_emptied_broker_and_a_registry_that_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = site.registry.root
    assert root is not None
    job_id = site.submit(epochs=2, minimum=1)
    with doing(site, monkeypatch) as worker:
        until(lambda: any("to learn from" in text for text in said(site, job_id)), PATIENCE)
        (child,) = training_children(os.getpid())
        limit_files(child, LITTLE)
        full = waits_for(site, job_id, "waiting for disk space")
        assert (full.state, full.alive, full.epoch) == ("running", True, 0)
        assert "running: waiting for disk space" in site.msk("jobs", "list").stdout

        with redis.Redis.from_url(site.broker.url) as client:
            client.flushall()
        until(lambda: site.store.find(job_id), 30)
        limit_files(child, resource.RLIM_INFINITY)
        until(lambda: site.job(job_id).epoch == 1, PATIENCE)

        root.rename(root.with_name("unmounted"))
        gone = waits_for(site, job_id, "waiting for the registry")
        assert "waits: the registry cannot be used: No such file or directory" in gone.log[-1][1]
        root.with_name("unmounted").rename(root)
        worker.join(PATIENCE)

    assert site.job(job_id).state in (PROMOTED, REFUSED)
    assert "its record was lost" in said(site, job_id)[0]
    assert len([text for text in said(site, job_id) if text.startswith("epoch 1 ")]) == 1
    assert str(site.job(job_id).version) in site.registry.versions()


def test_a_loss_that_is_no_number_fails_the_job_and_its_record_is_json(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = site.submit(base="shipped", classes=CLASSES, epochs=3, views=150, rate=1.0, minimum=1)
    with doing(site, monkeypatch) as worker:
        worker.join(PATIENCE)

    assert site.job(job_id).state == FAILED
    assert "the training diverged in epoch" in site.job(job_id).reason
    assert "The learning rate (1) is too high; try a tenth of it (0.1)" in site.job(job_id).reason
    shown = site.msk("jobs", "show", "--json", job_id).stdout
    assert json.loads(shown, parse_constant=pytest.fail)["state"] == FAILED


def test_a_job_does_not_begin_on_a_registry_that_cannot_be_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.registry.root is not None
    job_id = site.submit(minimum=1)
    jobs = site.registry.root / "jobs"
    shutil.rmtree(jobs, ignore_errors=True)
    jobs.write_text("not a folder")
    try:
        with doing(site, monkeypatch) as worker:
            worker.join(PATIENCE)
    finally:
        jobs.unlink()

    assert site.job(job_id).state == FAILED
    assert site.job(job_id).reason == f"the registry cannot be used: Not a directory ({jobs / job_id})"
