"""What the page of the ledger shows, in words and numbers; gathered in `ledger.py`."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workers.broker.living_workers import LivingWorker
from workers.broker.queues import INSTANCE_QUEUES, LABEL_TASK, MAINTENANCE, SETTLE_TASK, SWEEP_TASK, TRAIN, TRAIN_TASK
from workers.ledger import Ledger
from workers.metadata.outcome import FAILED
from workers.pages.times import lasted, local_time
from workers.reconciliation.balance import Balance
from workers.records.heartbeat import Heartbeat
from workers.records.tallies import Reason

__all__ = ["Bar", "Bench", "Queue", "Reasons", "Sweep", "bars", "bench_of", "queues", "reasons", "sentence", "sweep"]

#: Instances that are named of those that a worker holds.
NAMED = 8
TASKS = {LABEL_TASK: "labelling", SETTLE_TASK: "studies", SWEEP_TASK: "the sweep", TRAIN_TASK: "training"}
#: Of the chart of the last hour, in its own units.
WIDTH, HEIGHT = 600, 80


def sentence(balance: Balance) -> str:
    """What a person wants to know first. Only an even balance says that nothing is lost."""
    stored, indexed = balance.stored, balance.indexed
    if count := len(balance.astray):
        nowhere = "1 instance is" if count == 1 else f"{count:,} instances are"
        return f"{nowhere} neither done nor queued. The next sweeps look for such; msk audit names them."
    if stored > indexed:
        missing = f"{stored - indexed:,} on their way into it"
        return f"Orthanc holds {stored:,} instances, and the index shows {indexed:,} of them: {missing}."
    if stored < indexed:
        surplus = f"{indexed - stored:,} deleted ones are still to be dropped"
        return f"Orthanc holds {stored:,} instances, and the index shows {indexed:,}: {surplus}."
    since = f", oldest {lasted(balance.oldest)}" if balance.waiting else ""
    done = stored - balance.waiting
    return f"Nothing is lost: {stored:,} stored, {done:,} done, {balance.waiting:,} waiting{since}."


@dataclass(frozen=True)
class Queue:
    """One queue. ``waiting``: instances, None for a queue of other work; ``oldest``: for how long, "" if none."""

    name: str
    waiting: int | None
    oldest: str
    messages: int


def queues(ledger: Ledger) -> list[Queue]:
    """All queues. Raises redis.RedisError."""
    depth = ledger.depth()
    found = []
    for name in (*INSTANCE_QUEUES, TRAIN, MAINTENANCE):
        waiting = depth.get(name)
        found.append(Queue(name, waiting, lasted(ledger.lag(name)) if waiting else "", ledger.messages(name)))
    return found


@dataclass(frozen=True)
class Bench:
    """A worker, and what it holds."""

    name: str
    queues: str
    does: str
    since: str
    held: Sequence[str]
    more: int
    """How many it holds beside those that are named."""


def bench_of(worker: LivingWorker, ledger: Ledger) -> list[Bench]:
    """A line for each run that the worker is at; one line if it is at none. Raises redis.RedisError."""
    takes = ", ".join(worker.queues)
    found = []
    for run in worker.runs:
        held = ledger.held_by(run.id)
        since = lasted(max(0.0, time.time() - run.began)) if run.began else ""
        does = TASKS.get(run.task, run.task)
        found.append(Bench(worker.name, takes, does, since, held[:NAMED], max(0, len(held) - NAMED)))
    return found or [Bench(worker.name, takes, "nothing", "", (), 0)]


@dataclass(frozen=True)
class Reasons:
    """Why some instances are not labelled. ``here``: whether that stands in the ledger alone."""

    status: str
    reason: str
    count: int
    latest: str
    here: bool = False


def reasons(found: Sequence[Reason], noted: Mapping[str, str]) -> list[Reasons]:
    """All reasons. ``noted``: by instance, why it failed where Orthanc did not take that as its outcome."""
    here = [Reasons(FAILED, reason, count, "", True) for reason, count in Counter(noted.values()).most_common()]
    return [*here, *(Reasons(each.status, each.reason, each.count, local_time(each.latest)) for each in found)]


@dataclass(frozen=True)
class Sweep:
    """How far those have come that look after completeness, in words."""

    changes: str
    walk: str
    studies: str
    records: str


def sweep(ledger: Ledger, last_change: int, stored: int, beat: Heartbeat | None) -> Sweep:
    """Now. Raises redis.RedisError."""
    count, waited = ledger.settled()
    studies = f"{count:,} to be looked at together" + (f", the oldest for {lasted(waited)}" if count else "")
    records = "nobody keeps them: start msk records run"
    if beat:
        state = "behind" if beat.is_behind else "up to date"
        records = f"the index is being made, {beat.walked:,} in so far" if beat.hurried else state
        records += f"; change {beat.changes:,} of {last_change:,}"
    return Sweep(
        f"change {ledger.cursor:,} of {last_change:,}", f"{ledger.walked:,} of {stored:,} instances", studies, records
    )


@dataclass(frozen=True)
class Bar:
    """A minute of the chart."""

    x: float
    y: float
    height: float
    says: str


def bars(by_minute: Mapping[str, int], now: datetime) -> list[Bar]:
    """The last hour, oldest first: WIDTH x HEIGHT."""
    start = now.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(minutes=59)
    minutes = [start + timedelta(minutes=number) for number in range(60)]
    counts = [by_minute.get(each.isoformat(timespec="minutes")[:16], 0) for each in minutes]
    most = max(*counts, 1)
    found = []
    for number, (minute, count) in enumerate(zip(minutes, counts, strict=True)):
        height = HEIGHT * count / most
        says = f"{minute.astimezone():%H:%M}: {count:,}"
        found.append(Bar(number * WIDTH / 60, HEIGHT - height, height, says))
    return found
