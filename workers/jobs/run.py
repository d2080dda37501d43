"""A run's own view of its job's record: how far it is, and whether it may go on."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from redis import RedisError

from workers.jobs.request import JobRequest
from workers.jobs.store import JobStore

__all__ = ["JobRun", "Superseded"]

#: Seconds between two notes of how far it is.
NOTE_SECONDS = 0.5
#: Seconds until a job is begun again that could not reach Orthanc.
RETRY_SECONDS = 15.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class Superseded(Exception):
    """The job was cancelled, or belongs to another run by now."""


class JobRun:
    """One run of a job, until it is told that it is not any more."""

    def __init__(self, store: JobStore, job_id: str, owner: str, *, leads: bool) -> None:
        """``leads``: of several processes that train together, the one that speaks for all."""
        self.id, self.leads = job_id, leads
        self._store, self._owner = store, owner
        self._next = 0.0

    def request(self) -> JobRequest:
        """What is asked for. Raises Superseded."""
        job = self._insist(lambda: self._store.find(self.id))
        if job is None:
            raise Superseded
        return job.request

    def note(self, milestone: str = "", **values: str | int | float) -> None:
        """Say how far it is: milestones always, the rest now and then. A broker that is away does not stop it.

        Raises:
            Superseded: it must stop.
        """
        if not self.leads or (not milestone and time.monotonic() < self._next):
            return
        self._next = time.monotonic() + NOTE_SECONDS
        try:
            if not self._store.note(self.id, self._owner, values, milestone):
                raise Superseded
        except RedisError:
            log.warning("broker-away job=%s", self.id)

    def commit(self) -> None:
        """Pass the point after which nobody can cancel, if nobody has taken over. Raises Superseded."""
        if not self._insist(lambda: self._store.commit(self.id, self._owner)):
            raise Superseded

    def finish(self, state: str, reason: str, version: str = "") -> None:
        """End the job, as far as it is this run's."""
        self._insist(lambda: self._store.finish(self.id, self._owner, state, reason, version))
        log.info("job-ended job=%s state=%s version=%s reason=%s", self.id, state, version, reason)

    def give_back(self, reason: str) -> None:
        """End the run but not the job, which is begun again in a while; what happened is not its fault."""
        self._insist(
            lambda: self._store.release(self.id, self._owner, delay=RETRY_SECONDS, reason=reason, blameless=True)
        )

    def _insist(self, ask: Callable[[], T]) -> T:
        """The broker's answer, however long it stays away."""
        while True:
            try:
                return ask()
            except RedisError:
                log.warning("broker-away job=%s", self.id)
                time.sleep(1)
