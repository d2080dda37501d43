"""The index counted: by status, reason, version and minute. Each function works in the caller's transaction."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from workers.records.schema import instances

__all__ = [
    "Reason",
    "by_minute",
    "by_model",
    "by_reason",
    "by_status",
    "oldest_waiting",
]

#: Reasons that are listed; a page holds no more.
MOST_REASONS = 100
#: Length of a time in ISO 8601 to the minute.
MINUTE = len("2026-01-31T23:59")


@dataclass(frozen=True)
class Reason:
    """Why some instances are not labelled."""

    status: str
    reason: str
    count: int
    latest: str
    """When the last one of them was stored."""


def by_status(connection: Connection) -> dict[str | None, int]:
    """How many instances have each status; None: no outcome yet."""
    wanted = select(instances.c.status, func.count()).group_by(instances.c.status)
    return _counts(connection, wanted)


def oldest_waiting(connection: Connection) -> str | None:
    """When the first of those was stored that have no outcome; None if all have one."""
    wanted = select(func.min(instances.c.stored_at)).where(instances.c.status.is_(None))
    found: str | None = connection.scalar(wanted)
    return found


def by_reason(connection: Connection) -> list[Reason]:
    """Status and reason of those that have one, the most frequent first."""
    columns = (instances.c.status, instances.c.reason)
    wanted = select(*columns, func.count(), func.max(instances.c.stored_at)).where(instances.c.reason.is_not(None))
    wanted = wanted.group_by(*columns).order_by(func.count().desc()).limit(MOST_REASONS)
    return [Reason(*row) for row in connection.execute(wanted)]


def by_model(connection: Connection) -> dict[str, int]:
    """How many instances each version has answered last."""
    wanted = select(instances.c.model, func.count()).where(instances.c.model.is_not(None)).group_by(instances.c.model)
    return _counts(connection, wanted)


def by_minute(connection: Connection, since: str) -> dict[str, int]:
    """How many outcomes were given in each minute since then, if any. Times in ISO 8601, UTC."""
    minute = func.substr(instances.c.labelled_at, 1, MINUTE)
    wanted = select(minute, func.count()).where(instances.c.labelled_at >= since).group_by(minute)
    return _counts(connection, wanted)


def _counts(connection: Connection, wanted: Select[Any]) -> dict[Any, int]:
    return {value: int(count) for value, count in connection.execute(wanted)}
