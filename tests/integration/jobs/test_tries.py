"""What counts against a training job, and what it waits for: with a real Valkey, and nothing to train on."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.training_site import Broker, training_children
from tests.waiting import until
from workers.jobs import patience
from workers.jobs.patience import until_it_can_be_written, until_there_is_room
from workers.jobs.remembered import CHECKPOINT, REQUEST, Remembered, take_up_forgotten
from workers.jobs.request import JobRequest
from workers.jobs.run_record import JobRun, Superseded
from workers.jobs.store import CANCELLED, FAILED, QUEUED, RUNNING, Job, JobStore
from workers.jobs.watch import MAX_TRIES, do_next


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker.running(tmp_path_factory.mktemp("tries") / "valkey") as broker:
        yield broker


@pytest.fixture
def store(broker: Broker) -> JobStore:
    """Of a broker without any job."""
    empty(broker)
    return JobStore(broker.url)


@pytest.fixture
def job_id(store: JobStore) -> str:
    return store.submit(JobRequest(rehearsal=0, seed=7), "ann")


def empty(broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        client.flushall()


def lapse(broker: Broker, job_id: str) -> None:
    """As if the worker had been killed with its run."""
    with redis.Redis.from_url(broker.url) as client:
        client.hset(f"msk:job:{job_id}", "lease", 0)


def due(broker: Broker, job_id: str) -> None:
    with redis.Redis.from_url(broker.url) as client:
        client.hset(f"msk:job:{job_id}", "due", 0)


def job(store: JobStore, job_id: str) -> Job:
    found = store.find(job_id)
    assert found
    return found


def test_a_job_whose_worker_is_killed_at_twenty_places_goes_on(broker: Broker, store: JobStore, job_id: str) -> None:
    for epoch in range(1, 21):
        assert store.claim("run") is not None
        for number in range(max(1, epoch - 1), epoch + 1):  # from the last epoch that is kept
            assert store.note(job_id, "run", {"phase": "training"}, f"epoch {number}", 2 + number)
        lapse(broker, job_id)

    assert store.claim("last") == (job_id, 2)


def test_a_judging_that_dies_five_times_ends_the_job_with_where_and_of_what(
    store: JobStore, job_id: str, tmp_path: Path
) -> None:
    for number in range(MAX_TRIES):
        assert store.claim("run") == (job_id, number + 1)
        store.note(job_id, "run", {"phase": "judging"}, "trained; judged on what each run has not seen", 9)
        store.release(job_id, "run", delay=0, reason="its process was killed by SIGKILL", blameless=False)

    assert do_next(store, tmp_path) == job_id

    assert job(store, job_id).state == FAILED
    assert job(store, job_id).reason == (
        "its process died 5 times while judging, the last time as its process was killed by SIGKILL; "
        "the train worker's log says more"
    )


def test_a_worker_that_is_stopped_again_and_again_does_not_count(store: JobStore, job_id: str) -> None:
    for _ in range(3 * MAX_TRIES):
        assert store.claim("run") == (job_id, 1)
        store.release(job_id, "run", delay=0, reason="the worker was stopped", blameless=True)

    said = [text for _, text in job(store, job_id).log]
    assert said.count("waits: the worker was stopped") == 1
    assert (job(store, job_id).state, job(store, job_id).reason) == (QUEUED, "the worker was stopped")


def test_a_process_that_is_killed_at_once_each_time_is_given_up(
    broker: Broker, store: JobStore, job_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSK_BROKER_URL", broker.url)
    for _ in range(MAX_TRIES):
        watching = threading.Thread(target=do_next, args=(store, tmp_path))
        watching.start()
        until(lambda: training_children(os.getpid()))
        os.kill(training_children(os.getpid())[0], signal.SIGKILL)
        watching.join()
        due(broker, job_id)

    do_next(store, tmp_path)

    assert "died 5 times while starting, the last time as its process was killed" in job(store, job_id).reason
    assert "by SIGKILL, as the kernel does where memory is short" in job(store, job_id).reason
    assert not (tmp_path / "jobs" / job_id / REQUEST).exists()


def test_a_training_process_does_not_outlive_a_worker_that_was_killed_before_it_could_notice(broker: Broker) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = (sys.executable, "-P", "-m", "workers.jobs.training_job", "job", "owner", str(gone.pid))

    ended = subprocess.run(command, env=os.environ | {"MSK_BROKER_URL": broker.url}, capture_output=True, text=True)

    assert (ended.returncode, ended.stderr) == (1, "the process that started this one has gone\n")


def test_a_job_that_has_a_folder_outlives_the_data_of_the_broker(
    broker: Broker, store: JobStore, job_id: str, tmp_path: Path
) -> None:
    before = job(store, job_id)
    Remembered.keep(tmp_path / "jobs" / job_id, before)
    assert take_up_forgotten(store, tmp_path) == 0  # nothing is forgotten

    empty(broker)

    assert take_up_forgotten(store, tmp_path) == 1
    assert take_up_forgotten(store, tmp_path) == 0
    (found,) = store.latest()
    assert (found.id, found.request, found.author, found.submitted, found.state) == (
        job_id, before.request, "ann", before.submitted, QUEUED
    )  # fmt: skip
    assert "its record was lost" in job(store, job_id).log[0][1]
    assert store.claim("another") is None  # a run that goes on may still say so
    due(broker, job_id)
    assert store.claim("another") == (job_id, 1)


@pytest.mark.parametrize("swept_first", [False, True])
def test_a_run_goes_on_while_its_record_is_gone(
    broker: Broker, store: JobStore, job_id: str, tmp_path: Path, swept_first: bool
) -> None:
    kept = Remembered.keep(tmp_path / "jobs" / job_id, job(store, job_id))
    store.claim("run")
    run = JobRun(store, job_id, "run", leads=True)
    empty(broker)
    run.note("epoch 1", 3, epoch=1)  # not superseded: the watcher is about to bring the record back
    if swept_first:
        take_up_forgotten(store, tmp_path)

    assert store.beat(job_id, "run") is None
    assert kept.restore(store, "run")

    run.note("epoch 2", 4, epoch=2)
    assert (job(store, job_id).state, job(store, job_id).epoch) == (RUNNING, 2)
    assert not kept.restore(store, "another")
    assert store.claim("another") is None


def test_a_job_that_another_run_has_taken_up_is_not_taken_back(
    broker: Broker, store: JobStore, job_id: str, tmp_path: Path
) -> None:
    kept = Remembered.keep(tmp_path / "jobs" / job_id, job(store, job_id))
    store.claim("run")
    empty(broker)
    take_up_forgotten(store, tmp_path)
    due(broker, job_id)
    assert store.claim("another") == (job_id, 1)

    assert not kept.restore(store, "run")
    with pytest.raises(Superseded):
        JobRun(store, job_id, "run", leads=True).note("epoch 2", 4)


def test_a_folder_that_nobody_can_take_up_again_is_cleared(store: JobStore, job_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "of-an-earlier-program"
    (folder / "snapshot").mkdir(parents=True)
    for name in ("plan.json", CHECKPOINT, "snapshot/values.npy", "snapshot/manifest.json"):
        (folder / name).write_text("{}")
    broken = tmp_path / "jobs" / "broken"
    broken.mkdir()
    (broken / REQUEST).write_text('{"request": {"speed": 3}}')
    store.cancel(job_id, "ann")
    store.claim("nothing else is there")
    refused = store.submit(JobRequest(rehearsal=0), "ann")
    (tmp_path / "jobs" / refused).write_text("where its folder should be")

    assert do_next(store, tmp_path) == refused

    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"plan.json", "manifest.json"}
    assert (broken / REQUEST).exists()
    assert job(store, refused).state == FAILED
    assert job(store, refused).reason.startswith("the registry cannot be used: File exists")


def failing(*numbers: int) -> Callable[[], str]:
    left = list(numbers)

    def write() -> str:
        if left:
            number = left.pop(0)
            raise OSError(number, os.strerror(number), "/models/jobs/x/checkpoint.safetensors")
        return "written"

    return write


def test_a_job_waits_for_room_and_says_so(store: JobStore, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0)
    store.claim("run")
    run = JobRun(store, job_id, "run", leads=True)

    assert until_there_is_room(run, failing(errno.ENOSPC, errno.ENOSPC, errno.EDQUOT)) == "written"

    assert job(store, job_id).phase == "waiting for disk space"
    assert [text for _, text in job(store, job_id).log][2:] == [
        f"waits: there is no disk space for the registry: {reason} (/models/jobs/x/checkpoint.safetensors)"
        for reason in ("No space left on device", "Disk quota exceeded")
    ]
    with pytest.raises(OSError, match="Read-only"):
        until_there_is_room(run, failing(errno.EROFS))
    assert until_it_can_be_written(run, failing(errno.EROFS, errno.ENOENT)) == "written"


def test_a_job_that_waits_for_room_can_be_cancelled(
    store: JobStore, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0)
    store.claim("run")
    run = JobRun(store, job_id, "run", leads=True)

    def full() -> None:
        store.cancel(job_id, "ann")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Superseded):
        until_there_is_room(run, lambda: full())


def test_a_job_begins_only_when_there_is_room_for_its_folder(
    broker: Broker, store: JobStore, job_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))

    monkeypatch.setattr(Remembered, "keep", full)
    for _ in range(3):
        do_next(store, tmp_path)
        due(broker, job_id)

    said = [text for _, text in job(store, job_id).log]
    reason = f"there is no disk space for the registry: No space left on device ({tmp_path})"
    assert said[1:] == ["begun", f"waits: {reason}", "begun again"]
    assert (job(store, job_id).state, job(store, job_id).reason) == (QUEUED, reason)
    assert store.cancel(job_id, "ann") == CANCELLED
