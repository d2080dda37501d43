"""Which instances wait for a person, and in which order: read from the index, in the caller's transaction."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, func, select

from workers.records.schema import instances

__all__ = ["Queue", "latest_studies", "own_classes", "waiting"]

#: From here on the header is more likely wrong than right, by the pixels.
DISAGREES = 0.5
#: Most classes of a site that are listed.
MOST_CLASSES = 200


class Queue(StrEnum):
    """A reason to look. All of them leave out what has a truth already."""

    UNSURE = "unsure"
    """The most doubtful first; some class is the likeliest answer."""
    DISAGREEING = "disagreeing"
    """Header against pixels; the surest first."""
    NONE = "none"
    """None of the classes is the likeliest answer; the most doubtful first."""
    RANDOM = "random"
    """Any with an answer, in the order of their identifiers, which is none."""


def waiting(connection: Connection, queue: Queue, count: int, skip: int = 0, start: str = "") -> dict[str, str]:
    """The next `count` instances of a queue, after the first `skip`, in its order, each with its patient's hash.

    ``start``: where a random check begins.
    """
    wanted = select(instances.c.instance, instances.c.patient).where(instances.c.truth.is_(None))
    rows = connection.execute(_ordered(wanted.limit(count).offset(skip), queue, start))
    return {row.instance: row.patient for row in rows}


def _ordered(wanted: Select[Any], queue: Queue, start: str) -> Select[Any]:
    name, doubt, disagreement = instances.c.instance, instances.c.doubt, instances.c.disagreement
    match queue:
        case Queue.DISAGREEING:
            return wanted.where(disagreement > DISAGREES).order_by(disagreement.desc(), name)
        case Queue.RANDOM:
            return wanted.where(doubt.is_not(None), name >= start).order_by(name)
    is_unlike = instances.c.unlike.is_(queue is Queue.NONE)
    return wanted.where(is_unlike, doubt.is_not(None)).order_by(doubt.desc(), name)


def own_classes(connection: Connection) -> list[str]:
    """What people at this site have said that instances show, by key; `none` is among them where it was said."""
    wanted = select(instances.c.truth).where(instances.c.truth.is_not(None)).distinct().order_by(instances.c.truth)
    return list(connection.scalars(wanted.limit(MOST_CLASSES)))


def latest_studies(connection: Connection, count: int) -> list[dict[str, Any]]:
    """The studies that got an instance last: `study`, `stored_at` and the number of `instances`, the newest first."""
    last = func.max(instances.c.stored_at).label("stored_at")
    wanted = select(instances.c.study, last, func.count().label("instances")).group_by(instances.c.study)
    rows = connection.execute(wanted.order_by(last.desc(), instances.c.study).limit(count))
    return [dict(row) for row in rows.mappings()]
