"""Training jobs as durable records in the broker's database: who runs one, how far it is, how it ended.

The broker's messages are only hints that there is work. A job belongs to one *owner*, one run of it, for as long as
that shows signs of life. Every write names the owner: a run that was taken for dead can change nothing any more.

The operations are `store.lua`, so that each happens whole or not at all.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workers.broker.database import connect
from workers.jobs.request import JobRequest

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

#: What a job that is in one of them will never leave, but for the approval.
ENDED = frozenset({CANCELLED, FAILED, REFUSED, AWAITING_APPROVAL, PROMOTED})
#: Ends that a person who submitted the job hopes for.
SUCCESS = frozenset({AWAITING_APPROVAL, PROMOTED})

#: Seconds that an answer of the broker may take: no more than the lease of `store.lua`, so that its loss is noticed.
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
    """How often it was begun since its last milestone."""
    phase: str = ""
    """What it is at: snapshot, rehearsal, training or judging."""
    done: int = 0
    total: int = 0
    """Of the phase: images, phantoms, or steps."""
    epoch: int = 0
    """Epochs that are complete."""
    loss: float | None = None
    accuracy: float | None = None
    """On the hold-out after the last epoch, 0..1."""
    seconds_left: float | None = None
    version: str | None = None
    """What came out of it, once it is registered."""
    reason: str = ""
    """Why it ended as it did."""
    alive: bool = False
    """Whether the run that it belongs to has lately shown a sign of life."""
    log: tuple[tuple[datetime, str], ...] = field(default=(), repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether a model came out of it that may serve."""
        return self.state in SUCCESS

    def to_dict(self) -> dict[str, Any]:
        """Plain values, times in ISO 8601."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("request", "log")}
        plain |= {"submitted": _iso(self.submitted), "changed": _iso(self.changed)}
        log = [{"time": _iso(time), "text": text} for time, text in self.log]
        return plain | {"request": json.loads(self.request.to_json()), "log": log}


class JobStore:
    """Jobs in a Redis or Valkey database.

    Every method raises `redis.RedisError` where the database cannot be reached.
    """

    def __init__(self, broker_url: str) -> None:
        self._redis, self._call = connect(broker_url, Path(__file__).with_name("store.lua"), ANSWER_SECONDS)

    # -- for those who want a job done ---------------------------------------------------------------------

    def submit(self, request: JobRequest, author: str) -> str:
        """Take a job in; returns its identifier. When this returns it is durable."""
        job_id = secrets.token_hex(6)
        self._call("submit", job_id, author, request.to_json())
        return job_id

    def cancel(self, job_id: str, author: str) -> str | None:
        """Cancel a job; its state afterwards: `cancelled`, `cancelling` for a moment, or one it is too late in.

        None where there is no such job.
        """
        return self._call("cancel", job_id, author) or None

    def approve(self, job_id: str, author: str) -> None:
        """Note that what awaited approval serves now; nothing happens to a job in another state."""
        self._call("approve", job_id, author)

    def find(self, job_id: str) -> Job | None:
        """The job of that identifier; None where there is none."""
        values = self._redis.hgetall(f"msk:job:{job_id}")
        log = self._redis.lrange(f"msk:job:{job_id}:log", 0, -1)
        return _job(job_id, values, log, self._now()) if values else None

    def latest(self, count: int = 100) -> list[Job]:
        """The last ones submitted, the newest first, without their logs."""
        now = self._now()
        ids = self._redis.zrevrange("msk:jobs", 0, count - 1)
        found = ((job_id, self._redis.hgetall(f"msk:job:{job_id}")) for job_id in ids)
        return [_job(job_id, values, (), now) for job_id, values in found if values]

    # -- for the run ---------------------------------------------------------------------------------------

    def due(self) -> int:
        """How many jobs may be begun now: those that wait, and those whose run died."""
        return int(self._call("due"))

    def claim(self, owner: str) -> tuple[str, int] | None:
        """The oldest job that may be begun, for this owner alone, and how often it was since its last milestone."""
        found = self._call("claim", owner)
        return (str(found[0]), int(found[1])) if found else None

    def beat(self, job_id: str, owner: str) -> str | None:
        """Show a sign of life; the job's state, None where another run has taken over or the job has ended."""
        return self._call("beat", job_id, owner) or None

    def note(self, job_id: str, owner: str, values: Mapping[str, str | int | float], milestone: str = "") -> bool:
        """Note how far the run is; False where it may go no further."""
        flat = [item for pair in values.items() for item in pair]
        return bool(self._call("note", job_id, owner, milestone, *flat))

    def commit(self, job_id: str, owner: str) -> bool:
        """Pass the point after which the job cannot be cancelled; False where the run may go no further."""
        return bool(self._call("commit", job_id, owner))

    def finish(self, job_id: str, owner: str, state: str, reason: str = "", version: str = "") -> bool:
        """End the job; False where it is another run's by now."""
        return bool(self._call("finish", job_id, owner, state, reason, version))

    def release(self, job_id: str, owner: str, *, delay: float, reason: str, blameless: bool) -> bool:
        """Give the job back before its end, to be begun again after `delay` seconds.

        Args:
            blameless: the job is not at fault, so that the try does not count.
        """
        return bool(self._call("release", job_id, owner, int(delay * 1000), reason, int(blameless)))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)


def _job(job_id: str, values: Mapping[str, str], log: Any, now: float) -> Job:
    def number(name: str) -> float | None:
        return float(values[name]) if values.get(name) else None

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
        loss=number("loss"),
        accuracy=number("accuracy"),
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
