"""What was stored, the newest first, page by page. Each function works in the caller's transaction.

A page begins where another one ends (keyset pagination), so that it takes as long at the end of an archive as at its
beginning, and shows the same whatever is stored meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Select, func, literal_column, select, tuple_

from workers.records.schema import instances

__all__ = ["WAITING", "Page", "Place", "Wanted", "count", "identifiers", "page"]

#: In place of a status: no outcome yet.
WAITING = "waiting"

#: Literal, since an index for such rows alone is of use only where a statement says the same.
_DISAGREES: ColumnElement[bool] = literal_column("disagreement > 0.5", Boolean)
_PLACE = (instances.c.stored_at, instances.c.instance)
_INNER = frozenset({"pixels", "group", "attachment", "pixel_hash", "patient", "issuer", "studied_at"})
_COLUMNS = [c for c in instances.columns if c.name not in _INNER]

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """A place in the order."""

    stored_at: str
    instance: str


@dataclass(frozen=True)
class Wanted:
    """Which instances. "" and False ask for all."""

    shows: str = ""
    """A class or `none`, as a person said it, else as the model did."""
    status: str = ""
    """Of an outcome, or `WAITING`."""
    reason: str = ""
    since: str = ""
    """Stored at that time or later; ``until``: and before that one. As the column `stored_at`."""
    until: str = ""
    disagrees: bool = False
    """Whether the header is wrong by the pixels."""

    def of(self, statement: Select[Any]) -> Select[Any]:
        """The statement for these alone."""
        return statement.where(*self._conditions())

    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.shows:
            yield instances.c.shown == self.shows
        if self.status:
            yield instances.c.status.is_(None) if self.status == WAITING else instances.c.status == self.status
        if self.reason:
            yield instances.c.reason == self.reason
        if self.since:
            yield instances.c.stored_at >= self.since
        if self.until:
            yield instances.c.stored_at < self.until
        if self.disagrees:
            yield _DISAGREES


@dataclass(frozen=True)
class Page:
    """Some of them. ``rows``: columns of the index. ``has_newer``, ``has_older``: whether there are others."""

    rows: Rows = field(repr=False)
    has_newer: bool
    has_older: bool


def page(
    connection: Connection, wanted: Wanted, most: int, *, after: Place | None = None, before: Place | None = None
) -> Page:
    """At most `most`: the newest; or the next older ones `after` a place; or the next newer ones `before` it."""
    statement = wanted.of(select(*_COLUMNS))
    if before:
        rows = _rows(connection, _newer(statement, before).limit(most + 1))[::-1]
        shown, has_newer = rows[-most:], len(rows) > most
        return Page(shown, has_newer, _is_any(connection, wanted, shown, _older))
    rows = _rows(connection, _older(statement, after).limit(most + 1))
    shown, has_older = rows[:most], len(rows) > most
    return Page(shown, after is not None and _is_any(connection, wanted, shown, _newer), has_older)


def count(connection: Connection, wanted: Wanted) -> int:
    """How many there are."""
    return int(connection.scalar(wanted.of(select(func.count()).select_from(instances))) or 0)


def identifiers(connection: Connection, wanted: Wanted, most: int, after: Place | None = None) -> list[Place]:
    """At most `most` places, as `page`, without what else is known of them."""
    statement = _older(wanted.of(select(*_PLACE)), after)
    return [Place(*row) for row in connection.execute(statement.limit(most))]


def _is_any(
    connection: Connection, wanted: Wanted, shown: Rows, beyond: Callable[[Select[Any], Place | None], Select[Any]]
) -> bool:
    """Whether there are others beyond those that are shown."""
    edge = shown and shown[-1 if beyond is _older else 0]
    place = Place(edge["stored_at"], edge["instance"]) if edge else None
    return connection.execute(beyond(wanted.of(select(*_PLACE)), place).limit(1)).first() is not None


def _older(statement: Select[Any], place: Place | None) -> Select[Any]:
    if place:
        statement = statement.where(tuple_(*_PLACE) < tuple_(place.stored_at, place.instance))
    return statement.order_by(*(column.desc() for column in _PLACE))


def _newer(statement: Select[Any], place: Place | None) -> Select[Any]:
    if place:
        statement = statement.where(tuple_(*_PLACE) > tuple_(place.stored_at, place.instance))
    return statement.order_by(*_PLACE)


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return [dict(row) for row in connection.execute(statement).mappings()]
