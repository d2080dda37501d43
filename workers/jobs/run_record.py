"""A run's view of its job's record: it reports progress there, and learns whether it may continue."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from redis import RedisError

from workers.jobs.request import JobRequest
from workers.jobs.store import JobStore

__all__ = ["REHEARSAL", "SNAPSHOT", "JobRun", "Superseded"]

#: Places that a run passes, in this order; each epoch is one more, and the judging comes after the last of them.
SNAPSHOT, REHEARSAL = 1, 2

#: Seconds between two reports of progress.
NOTE_SECONDS = 0.5
#: Seconds until a job that could not reach Orthanc is started again.
RETRY_SECONDS = 15.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class Superseded(Exception):
    """The job was cancelled, or now belongs to another run."""


class JobRun:
    """One run of a job. Its methods raise Superseded once it must stop."""

    def __init__(self, store: JobStore, job_id: str, owner: str, *, leads: bool) -> None:
        """``leads``: whether this process reports for all the processes that train together."""
        self.id, self.leads = job_id, leads
        self._store, self._owner = store, owner
        self._next = 0.0

    def request(self) -> JobRequest:
        """The request of the job. Raises Superseded if the job does not exist."""
        job = self._insist(lambda: self._store.find(self.id))
        if job is None:
            raise Superseded
        return job.request

    def note(self, milestone: str = "", place: int = 0, **values: str | int | float) -> None:
        """Report progress: always at milestones, else every `NOTE_SECONDS`. Goes on if the broker does not answer.

        Args:
            place: `SNAPSHOT`, `REHEARSAL`, or a later one, once all that comes before it is done.

        Raises:
            Superseded: the run must stop.
        """
        if not self.leads or (not milestone and time.monotonic() < self._next):
            return
        self._next = time.monotonic() + NOTE_SECONDS
        try:
            if not self._store.note(self.id, self._owner, values, milestone, place):
                raise Superseded
        except RedisError:
            log.warning("broker-away job=%s", self.id)

    def commit(self) -> None:
        """Pass the point after which the job cannot be cancelled. Raises Superseded."""
        if not self._insist(lambda: self._store.commit(self.id, self._owner)):
            raise Superseded

    def finish(self, state: str, reason: str, version: str = "") -> None:
        """End the job, if it still belongs to this run."""
        self._insist(lambda: self._store.finish(self.id, self._owner, state, reason, version))
        log.info("job-ended job=%s state=%s version=%s reason=%s", self.id, state, version, reason)

    def give_back(self, reason: str) -> None:
        """End the run, not the job: it starts again after `RETRY_SECONDS`, and this try does not count."""
        self._insist(
            lambda: self._store.release(self.id, self._owner, delay=RETRY_SECONDS, reason=reason, blameless=True)
        )

    def _insist(self, ask: Callable[[], T]) -> T:
        """The broker's answer; asks again until there is one."""
        while True:
            try:
                return ask()
            except RedisError:
                log.warning("broker-away job=%s", self.id)
                time.sleep(1)
