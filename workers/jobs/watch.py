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
from workers.jobs.store import CANCELLING, FAILED, JobStore

__all__ = ["do_next"]

#: Seconds between two heartbeats, well below the lease of `store.lua`; each also asks whether the job may continue.
BEAT_SECONDS = 1.0
#: How often a job's process may die between two milestones.
MAX_TRIES = 5
#: Seconds until a job whose process died is started again.
PAUSE_SECONDS = 1.0
#: Files that are kept of a job that has ended.
_KEPT = ("manifest.json", "plan.json")

log = logging.getLogger(__name__)


def do_next(store: JobStore, models: Path | None, stopping: Callable[[], bool] = lambda: False) -> str | None:
    """Run the oldest job that may start, until it ends or `stopping()`; its identifier, None if there is no job.

    Raises:
        redis.RedisError: the broker did not answer before a job was started.
    """
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    claim = store.claim(owner)
    if claim is None:
        return None
    job_id, tries = claim
    if tries > MAX_TRIES:
        store.finish(
            job_id,
            owner,
            FAILED,
            f"its process died {MAX_TRIES} times at the same place; the train worker's log says why",
        )
    else:
        log.info("job-begun job=%s tries=%d", job_id, tries)
        _watch(store, job_id, owner, stopping)
    if models:
        _clear_ended(store, models)
    return job_id


def _watch(store: JobStore, job_id: str, owner: str, stopping: Callable[[], bool]) -> None:
    process = subprocess.Popen(
        (sys.executable, "-P", "-m", "workers.jobs.training_job", job_id, owner),
        env=os.environ | {"OMP_NUM_THREADS": str(threads())},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = _status_unless(process, lambda: stopping() or not _may_go_on(store, job_id, owner))
    finally:
        _kill(process)
    # Neither release changes a job that has ended or belongs to another run by now.
    if status is None:
        reason = "the worker was stopped" if stopping() else "cancelled"
        _quietly(lambda: store.release(job_id, owner, delay=0, reason=reason, blameless=True))
    else:
        reason = (
            f"its process ended with status {status}" if status >= 0 else f"its process was killed by {_name(status)}"
        )
        _quietly(lambda: store.release(job_id, owner, delay=PAUSE_SECONDS, reason=reason, blameless=False))


def _status_unless(process: "subprocess.Popen[bytes]", ends: Callable[[], bool]) -> int | None:
    """Exit status of the process; None as soon as `ends()`."""
    while True:
        try:
            return process.wait(BEAT_SECONDS)
        except subprocess.TimeoutExpired:
            if ends():
                return None


def _may_go_on(store: JobStore, job_id: str, owner: str) -> bool:
    try:
        state = store.beat(job_id, owner)
    except RedisError:  # no other run can claim the job either
        return True
    return state is not None and state != CANCELLING


def _quietly(do: Callable[[], object]) -> None:
    with suppress(RedisError):  # the lease expires by itself
        do()


def _name(status: int) -> str:
    return signal.Signals(-status).name


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _clear_ended(store: JobStore, models: Path) -> None:
    """Remove the working files of jobs that have ended; the plan and the snapshot's manifest stay."""
    for folder in (models / "jobs").glob("*"):
        try:
            job = store.find(folder.name)
        except RedisError:
            return
        if job and job.ended:
            for path in (*folder.glob("*"), *(folder / "snapshot").glob("*")):
                if path.name not in (*_KEPT, "snapshot"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
