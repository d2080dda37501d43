"""Training jobs as durable records in the broker's database: who runs a job, how far it is, how it ended.

The broker's messages are only hints that there is work. A job is leased to one *owner*, one run of it, for as long as
that run sends heartbeats. Every write names the owner: a run that has lost its lease can change nothing any more.

The operations are scripts in `store.lua`, so that each is atomic.
"""

import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from workers.broker.database import connect
from workers.broker.trial import try_to_write
from workers.jobs.request import JobRequest
from workers.settings import Settings
from workers.tls import Trust

__all__ = [
    "AWAITING_APPROVAL",
    "CANCELLED",
    "CANCELLING",
    "FAILED",
    "PROMOTED",
    "QUEUED",
    "REFUSED",
    "RUNNING",
    "Job",
    "JobStore",
]

QUEUED, RUNNING, CANCELLING = "queued", "running", "cancelling"
CANCELLED, FAILED, REFUSED = "cancelled", "failed", "refused"
AWAITING_APPROVAL, PROMOTED = "awaiting-approval", "promoted"

#: Final states; only a job that awaits approval can still change, to promoted or cancelled.
ENDED = frozenset({CANCELLED, FAILED, REFUSED, AWAITING_APPROVAL, PROMOTED})
#: Final states of jobs whose version serves or may serve.
SUCCESS = frozenset({AWAITING_APPROVAL, PROMOTED})

#: Timeout of the broker's answers in seconds: at most the lease of `store.lua`, so that a lost lease is noticed.
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Job:
    """A job as it is now."""

    id: str
    request: JobRequest
    author: str
    state: str
    submitted: datetime
    changed: datetime
    tries: int = 0
    """How often it was started since it got further than ever before."""
    phase: str = ""
    """What it is doing: snapshot, rehearsal, training or judging; or what it waits for."""
    done: int = 0
    total: int = 0
    """``done`` of ``total`` images, phantoms or steps of the phase."""
    epoch: int = 0
    """Epochs that are complete, in all its runs."""
    epochs: int = 0
    """All that it will have; 0 before the first is complete."""
    loss: float | None = None
    accuracy: float | None = None
    """After the last epoch, on what its run has not seen, 0..1."""
    curve: tuple[tuple[float, float], ...] = ()
    """Loss and accuracy, as those above, after each epoch that is complete."""
    seconds_left: float | None = None
    version: str | None = None
    """The version that it made, once that is registered."""
    reason: str = ""
    """Why it ended as it did, or why it waits for its next run."""
    alive: bool = False
    """Whether its run has a valid lease."""
    log: tuple[tuple[datetime, str], ...] = field(default=(), repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it made a version that serves or may serve."""
        return self.state in SUCCESS

    def to_dict(self) -> dict[str, Any]:
        """Plain values, times in ISO 8601."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("request", "log")}
        plain |= {"submitted": _iso(self.submitted), "changed": _iso(self.changed)}
        log = [{"time": _iso(time), "text": text} for time, text in self.log]
        return plain | {"request": json.loads(self.request.to_json()), "log": log}


class JobStore:
    """Jobs in a Redis or Valkey database.

    Every method raises `redis.RedisError` if the database cannot be reached, and for runs if it has forgotten the job.
    """

    def __init__(self, broker_url: str, *, trust: Trust = Trust()) -> None:
        self._redis, self._call = connect(broker_url, trust, Path(__file__).with_name("store.lua"), ANSWER_SECONDS)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The jobs in the broker that the settings name."""
        return cls(settings.broker_url, trust=settings.trust)

    # -- for clients ---------------------------------------------------------------------------------------

    def submit(self, request: JobRequest, author: str) -> str:
        """Queue a job; returns its identifier. When this returns, the job is durable."""
        job_id = secrets.token_hex(6)
        self._call("submit", job_id, author, request.to_json())
        return job_id

    def cancel(self, job_id: str, author: str) -> str | None:
        """Cancel a job; returns its state afterwards, None if there is no such job.

        `cancelled`, `cancelling` until its run has stopped, or another state, in which it cannot be cancelled.
        """
        return self._call("cancel", job_id, author) or None

    def approve(self, job_id: str, author: str) -> None:
        """Mark a job that awaits approval as promoted; a job in another state is not changed."""
        self._call("approve", job_id, author)

    def restore(self, job_id: str, request: JobRequest, author: str, submitted: datetime, owner: str = "") -> bool:
        """Make a job that the database has forgotten known again; False if it needs no such thing.

        Args:
            owner: the run of it that goes on; without one the job waits for its next run.
        """
        milliseconds = int(submitted.timestamp() * 1000)
        return bool(self._call("restore", job_id, author, request.to_json(), milliseconds, owner))

    def find(self, job_id: str) -> Job | None:
        """The job of that identifier; None if there is none."""
        values = self._redis.hgetall(f"msk:job:{job_id}")
        log = self._redis.lrange(f"msk:job:{job_id}:log", 0, -1)
        return _job(job_id, values, log, self._now()) if values else None

    def latest(self, count: int = 100) -> list[Job]:
        """The jobs submitted last, the newest first, without their logs."""
        now = self._now()
        ids = self._redis.zrevrange("msk:jobs", 0, count - 1)
        found = ((job_id, self._redis.hgetall(f"msk:job:{job_id}")) for job_id in ids)
        return [_job(job_id, values, (), now) for job_id, values in found if values]

    def changes(self, count: int = 100) -> tuple[str, ...]:
        """What differs as soon as anything about one of the jobs submitted last does; cheap."""
        pipe = self._redis.pipeline(transaction=False)
        for job_id in self._redis.zrevrange("msk:jobs", 0, count - 1):
            pipe.hmget(f"msk:job:{job_id}", "submitted", "changed")
        return tuple(map(str, pipe.execute()))

    def try_to_write(self) -> None:
        """Return if signs of life of runs can arrive now: the broker takes writes. Writes nothing."""
        try_to_write(self._redis)

    # -- for runs ------------------------------------------------------------------------------------------

    def due(self) -> int:
        """How many jobs may start now: those that are due, and those whose run died."""
        return int(self._call("due"))

    def claim(self, owner: str) -> tuple[str, int] | None:
        """Lease the oldest job that may start to this owner; its identifier, and its tries since its furthest place."""
        found = self._call("claim", owner)
        return (str(found[0]), int(found[1])) if found else None

    def beat(self, job_id: str, owner: str) -> str | None:
        """Send a heartbeat; returns the job's state, None if another run has taken over or the job has ended."""
        return self._call("beat", job_id, owner) or None

    def last_death(self, job_id: str) -> str:
        """Where the last run that died did so, and of what: ``judging: its process was killed by SIGKILL``."""
        return str(self._redis.hget(f"msk:job:{job_id}", "died") or "")

    def note(
        self, job_id: str, owner: str, values: Mapping[str, str | int | float], milestone: str = "", place: int = 0
    ) -> bool:
        """Note the run's progress; False if it must stop.

        Args:
            place: how far it has got; further than ever before, and the deaths of earlier runs count no longer.
        """
        flat = [item for pair in values.items() for item in pair]
        return bool(self._call("note", job_id, owner, milestone, place, *flat))

    def commit(self, job_id: str, owner: str) -> bool:
        """Pass the point after which the job cannot be cancelled; False if the run must stop."""
        return bool(self._call("commit", job_id, owner))

    def finish(self, job_id: str, owner: str, state: str, reason: str = "", version: str = "") -> bool:
        """End the job; False if it belongs to another run by now."""
        return bool(self._call("finish", job_id, owner, state, reason, version))

    def release(self, job_id: str, owner: str, *, delay: float, reason: str, blameless: bool) -> bool:
        """End the run before the job ends; another one may start after `delay` seconds.

        Args:
            blameless: whether the job is not at fault, so that this try does not count.
        """
        return bool(self._call("release", job_id, owner, int(delay * 1000), reason, int(blameless)))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)


def _job(job_id: str, values: Mapping[str, str], log: Any, now: float) -> Job:
    def number(name: str) -> float | None:
        found = float(values.get(name) or "nan")
        return found if math.isfinite(found) else None

    return Job(
        id=job_id,
        request=JobRequest.of(json.loads(values["request"])),
        author=values["author"],
        state=values["state"],
        submitted=_time(values["submitted"]),
        changed=_time(values["changed"]),
        tries=int(values["tries"]),
        phase=values.get("phase", ""),
        done=int(values.get("done", 0)),
        total=int(values.get("total", 0)),
        epoch=int(values.get("epoch", 0)),
        epochs=int(values.get("epochs", 0)),
        loss=number("loss"),
        accuracy=number("accuracy"),
        curve=tuple((float(loss), float(accuracy)) for loss, accuracy in json.loads(values.get("curve", "[]"))),
        seconds_left=number("seconds_left"),
        version=values.get("version") or None,
        reason=values.get("reason", ""),
        alive=float(values.get("lease", 0)) / 1000 > now,
        log=tuple((_time(time), text) for time, text in map(json.loads, log)),
    )


def _time(milliseconds: str | float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
