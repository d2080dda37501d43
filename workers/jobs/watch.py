"""Watches a training job: a child process runs it, while this process renews the lease, or kills the child."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redis import RedisError

from workers.jobs.giving_way import threads
from workers.jobs.patience import is_full, why_not_written
from workers.jobs.remembered import CHECKPOINT, REQUEST, Remembered, take_up_forgotten
from workers.jobs.store import CANCELLING, FAILED, JobStore

__all__ = ["do_next"]

#: Seconds between two heartbeats, well below the lease of `store.lua`; each also asks whether the job may continue.
BEAT_SECONDS = 1.0
#: How often a job's process may die before the job gets further than ever.
MAX_TRIES = 5
#: Seconds until a job whose process died is started again.
PAUSE_SECONDS = 1.0
#: Seconds until a job is started again that found no room on the disk, or not its registry.
RETRY_SECONDS = 15.0
#: Files that are kept of a job that has ended.
_KEPT = ("manifest.json", "plan.json")

log = logging.getLogger(__name__)


def do_next(store: JobStore, models: Path | None, stopping: Callable[[], bool] = lambda: False) -> str | None:
    """Run the oldest job that may start, until it ends or `stopping()`; its identifier, None if there is no job.

    Jobs that the broker has forgotten and that have a folder are queued first.

    Raises:
        redis.RedisError: the broker did not answer before a job was started.
    """
    if models:
        take_up_forgotten(store, models)
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    claim = store.claim(owner)
    if claim is None:
        return None
    job_id, tries = claim
    if tries > MAX_TRIES:
        store.finish(job_id, owner, FAILED, _given_up(store.last_death(job_id)))
    else:
        log.info("job-begun job=%s tries=%d", job_id, tries)
        _begin(store, models, job_id, owner, stopping)
    if models:
        _clear_ended(store, models)
    return job_id


def _given_up(death: str) -> str:
    where, _, reason = death.partition(": ")
    last = f", the last time as {reason}" if reason else ""
    return f"its process died {MAX_TRIES} times while {_doing(where)}{last}; the train worker's log says more"


def _doing(phase: str) -> str:
    """A phase as an activity, for a sentence."""
    if phase.startswith("snapshot"):
        return "making its snapshot"
    return {"rehearsal": "rendering phantoms"}.get(phase, phase or "starting")


def _begin(store: JobStore, models: Path | None, job_id: str, owner: str, stopping: Callable[[], bool]) -> None:
    """Note the request in the job's folder, which shows whether the registry can be written, and run the job."""
    job = store.find(job_id)
    if job is None:  # the broker has lost its data just now
        return
    folder = models / "jobs" / job_id if models else None
    try:
        kept = Remembered.keep(folder, job) if folder else None
    except OSError as error:
        trained = folder is not None and (folder / CHECKPOINT).exists()
        _cannot_begin(store, job_id, owner, error, anything_trained=trained)
    else:
        _watch(store, job_id, owner, kept, stopping)


def _cannot_begin(store: JobStore, job_id: str, owner: str, error: OSError, *, anything_trained: bool) -> None:
    """Where the disk is full, and where something was trained already, the job waits; otherwise it fails."""
    if is_full(error) or anything_trained:
        store.release(job_id, owner, delay=RETRY_SECONDS, reason=why_not_written(error), blameless=True)
    else:
        store.finish(job_id, owner, FAILED, why_not_written(error))


def _watch(store: JobStore, job_id: str, owner: str, kept: Remembered | None, stopping: Callable[[], bool]) -> None:
    process = subprocess.Popen(
        (sys.executable, "-P", "-m", "workers.jobs.training_job", job_id, owner, str(os.getpid())),
        env=os.environ | {"OMP_NUM_THREADS": str(threads())},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = _status_unless(process, lambda: stopping() or not _may_go_on(store, job_id, owner, kept))
    finally:
        _kill(process)
    # Neither release changes a job that has ended or belongs to another run by now.
    if status is None:
        reason = "the worker was stopped" if stopping() else "cancelled"
        _quietly(lambda: store.release(job_id, owner, delay=0, reason=reason, blameless=True))
    else:
        reason = _death(status)
        _quietly(lambda: store.release(job_id, owner, delay=PAUSE_SECONDS, reason=reason, blameless=False))


def _status_unless(process: "subprocess.Popen[bytes]", ends: Callable[[], bool]) -> int | None:
    """Exit status of the process; None as soon as `ends()`."""
    while True:
        try:
            return process.wait(BEAT_SECONDS)
        except subprocess.TimeoutExpired:
            if ends():
                return None


def _may_go_on(store: JobStore, job_id: str, owner: str, kept: Remembered | None) -> bool:
    try:
        state = store.beat(job_id, owner)
        if state is None and kept:  # unless another run has it, the broker has forgotten the job
            return kept.restore(store, owner)
    except RedisError:  # no other run can claim the job either
        return True
    return state is not None and state != CANCELLING


def _quietly(do: Callable[[], object]) -> None:
    with suppress(RedisError):  # the lease expires by itself
        do()


def _death(status: int) -> str:
    """How the process ended, in words."""
    if status >= 0:
        return f"its process ended with status {status}"
    hint = ", as the kernel does where memory is short" if status == -signal.SIGKILL else ""
    return f"its process was killed by {signal.Signals(-status).name}{hint}"


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _clear_ended(store: JobStore, models: Path) -> None:
    """Remove the working files of jobs that have ended; the plan and the snapshot's manifest stay.

    A job without a record and a request has ended too, or cannot be taken up again.
    """
    for folder in (models / "jobs").glob("*"):
        try:
            job = store.find(folder.name)
        except RedisError:
            return
        if job.ended if job else not (folder / REQUEST).exists():
            for path in (*folder.glob("*"), *(folder / "snapshot").glob("*")):
                if path.name not in (*_KEPT, "snapshot"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
