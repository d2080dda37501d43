"""The index: rows put, dropped and read. Each function works in the caller's transaction."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from workers.records.hierarchy import Hierarchy
from workers.records.row import Row
from workers.records.schema import instances

__all__ = ["after", "count", "drop", "hierarchies", "issuers", "latest_with_claims", "put"]

#: Rows in one statement.
BATCH = 500
#: Rows held in memory while many are read.
PAGE = 1000

_COLUMNS = [column for column in instances.columns if column.name != "updated_at"]


def put(connection: Connection, rows: Collection[Row]) -> list[Row]:
    """Write the rows, over what was there; those that were new or differed."""
    present: dict[str, dict[str, Any]] = {}
    for some in _batches([row.instance for row in rows]):
        found = connection.execute(select(*_COLUMNS).where(instances.c.instance.in_(some)))
        present.update((row["instance"], dict(row)) for row in found.mappings())
    changed = [row for row in rows if present.get(row.instance) != row.__dict__]
    if changed:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(instances)
        others = {c.name: statement.excluded[c.name] for c in instances.columns if not c.primary_key}
        statement = statement.on_conflict_do_update(index_elements=[instances.c.instance], set_=others)
        connection.execute(statement, [row.__dict__ | {"updated_at": now} for row in changed])
    return changed


def drop(connection: Connection, instance_ids: Collection[str]) -> int:
    """Remove the rows of these instances; how many there were."""
    statements = (delete(instances).where(instances.c.instance.in_(some)) for some in _batches(list(instance_ids)))
    return sum(connection.execute(statement).rowcount for statement in statements)


def hierarchies(connection: Connection, instance_ids: Sequence[str]) -> dict[str, Hierarchy]:
    """Of those of the instances that have a row, but for rows from before these columns were."""
    names = [each.name for each in fields(Hierarchy)]
    wanted = select(instances.c.instance, *(instances.c[name] for name in names))
    result = {}
    for some in _batches(instance_ids):
        is_one = instances.c.instance.in_(some) & instances.c.modality.is_not(None)
        for row in connection.execute(wanted.where(is_one)).mappings():
            result[row["instance"]] = Hierarchy(*(row[name] for name in names))
    return result


def issuers(connection: Connection, studies: Collection[str]) -> dict[str, str]:
    """Issuers of the patients' numbers, hashed, of those of the studies that have a row with one."""
    wanted = select(instances.c.study, instances.c.issuer).distinct()
    result: dict[str, str] = {}
    for some in _batches(list(studies)):
        is_one = instances.c.study.in_(some) & instances.c.issuer.is_not(None)
        result.update(map(tuple, connection.execute(wanted.where(is_one))))
    return result


def after(connection: Connection, instance_id: str, limit: int) -> list[str]:
    """The next instances that have a row, in the order of their identifiers; "" is before all."""
    wanted = select(instances.c.instance).where(instances.c.instance > instance_id)
    return list(connection.scalars(wanted.order_by(instances.c.instance).limit(limit)))


def count(connection: Connection) -> int:
    """How many instances have a row."""
    return int(connection.scalar(select(func.count()).select_from(instances)) or 0)


def latest_with_claims(connection: Connection, limit: int) -> Iterator[dict[str, Any]]:
    """The rows with pixels and claims that were stored last, the newest first."""
    wanted = select(*_COLUMNS).where(instances.c.claims.is_not(None), instances.c.pixels.is_not(None))
    wanted = wanted.order_by(instances.c.stored_at.desc(), instances.c.instance.desc()).limit(limit)
    return (dict(row) for row in connection.execute(wanted.execution_options(yield_per=PAGE)).mappings())


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
