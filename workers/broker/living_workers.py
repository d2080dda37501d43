"""The workers that answer now, and which runs of tasks each of them is at."""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery

__all__ = ["LivingWorker", "Run", "living_workers"]


@dataclass(frozen=True)
class Run:
    """One run of a task. ``id``: under which it holds instances in the ledger."""

    task: str
    id: str
    began: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class LivingWorker:
    """One worker."""

    name: str
    queues: Sequence[str]
    runs: Sequence[Run]


def living_workers(app: Celery, seconds: float) -> list[LivingWorker]:
    """Those that answer within so many seconds, all of which this takes, by name.

    Raises:
        redis.RedisError, kombu.exceptions.OperationalError: the broker does not answer.
    """
    inspect = app.control.inspect(timeout=seconds)
    active = inspect.active() or {}
    queues = inspect.active_queues() or {} if active else {}
    return [
        LivingWorker(name, [each["name"] for each in queues.get(name, ())], [_run(each) for each in found])
        for name, found in sorted(active.items())
    ]


def _run(found: dict[str, object]) -> Run:
    began = found.get("time_start")
    return Run(str(found["name"]), str(found["id"]), float(began) if isinstance(began, int | float) else 0.0)
