"""How far the one process has come in Orthanc's changes, and in its walk over all instances."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from workers.records.schema import position

__all__ = ["Overtaken", "Position", "begin_anew", "move", "read_position"]


class Overtaken(Exception):
    """Somebody else has moved the position since it was read."""


@dataclass(frozen=True)
class Position:
    """A place in three orders, each of which goes on where it was left."""

    version: int
    """Grows with each move, so that none goes unnoticed."""
    changes: int
    """Number of the last of Orthanc's changes that the index shows."""
    walked: int = 0
    """How many of Orthanc's instances this round of the walk has put into the index."""
    checked: str | None = None
    """The last row that this round has looked for in Orthanc; None while it still puts instances in."""
    rounds: int = 0
    """How often the walk has come to its end."""
    hurried: bool = True
    """Whether the index is being made, so that this round of the walk does not take its time."""
    restored: bool = False
    """Whether Orthanc lost what it had since an earlier time, so that this round puts truths back."""

    def at_new_round(self) -> "Position":
        """The walk from its beginning, in a hurry."""
        return replace(self, walked=0, checked=None, hurried=True)


def read_position(connection: Connection) -> Position | None:
    """Where the process is; None before its first start."""
    row = connection.execute(select(position)).mappings().one_or_none()
    return None if row is None else Position(**{name: value for name, value in row.items() if name != "id"})


def move(connection: Connection, old: Position | None, new: Position) -> None:
    """Replace the position, in the transaction of the rows that it stands for.

    Raises:
        Overtaken: it is another one than `old` by now. The transaction must be rolled back.
    """
    values: dict[str, Any] = new.__dict__ | {"version": new.version + 1}
    if old is None:
        if read_position(connection) is not None:
            raise Overtaken
        connection.execute(insert(position).values(id=1, **values))
    elif not connection.execute(update(position).where(position.c.version == old.version).values(values)).rowcount:
        raise Overtaken


def begin_anew(connection: Connection) -> int | None:
    """Have the whole index made anew; the number of rounds until now. None before the first start, which does so."""
    while (now := read_position(connection)) is not None:
        try:
            move(connection, now, now.at_new_round())
        except Overtaken:  # between two statements, in PostgreSQL
            continue
        return now.rounds
    return None
