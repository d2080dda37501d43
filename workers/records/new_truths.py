"""What people said, and how much of it is new. Each function works in the caller's transaction."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select

from workers.records.schema import instances, journal

__all__ = ["Said", "new_truths", "patients", "truths"]


@dataclass(frozen=True)
class Said:
    """Of how many instances people say that they show this class, or `none`; ``new``: how many of them lately."""

    label: str
    count: int
    new: int


def truths(connection: Connection, since: str) -> list[Said]:
    """What people say, by class, and of how many that stands in the journal since that time only."""
    wanted = select(instances.c.truth, func.count()).where(instances.c.truth.is_not(None))
    wanted = wanted.group_by(instances.c.truth).order_by(instances.c.truth)
    new: dict[str, int] = dict(connection.execute(_new(wanted, since)).tuples().all())
    return [Said(label, count, new.get(label, 0)) for label, count in connection.execute(wanted)]


def patients(connection: Connection) -> int:
    """Of how many patients people have said what a picture shows."""
    wanted = select(func.count(instances.c.patient.distinct())).where(instances.c.truth.is_not(None))
    return int(connection.scalar(wanted) or 0)


def new_truths(connection: Connection, since: str) -> list[str]:
    """The instances of which people have said something since that time, and it stands."""
    wanted = select(instances.c.instance).where(instances.c.truth.is_not(None)).order_by(instances.c.instance)
    return list(connection.scalars(_new(wanted, since)))


def _new(wanted: Select[Any], since: str) -> Select[Any]:
    return wanted.where(exists().where(journal.c.instance == instances.c.instance, journal.c.time > since))
