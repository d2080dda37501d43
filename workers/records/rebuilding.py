"""The index made anew from Orthanc: by this process, or by the one that keeps the records."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine

from workers.pacs import OrthancClient
from workers.records import index
from workers.records.database import READS_ONLY, the_only_one
from workers.records.following import Follower
from workers.records.kept_secret import agreed_secret
from workers.records.position import Position, begin_anew, read_position
from workers.records.schema import migrate

__all__ = ["rebuild"]

#: Seconds between two looks at how far the other process is.
LOOK_SECONDS = 0.5


def rebuild(
    engine: Engine, orthanc: OrthancClient, broker: Any, progress: Callable[[int], None], issuer: str = ""
) -> int:
    """Read every instance from Orthanc, and drop the rows of what is gone; how many instances the index has then.

    Args:
        progress: is told how many instances have been read.
        issuer: of the patients' numbers of files that name none, as the other process has it.

    Raises:
        OrthancError, redis.RedisError, sqlalchemy.exc.SQLAlchemyError: one of them is away. What was begun is ended
            by the process that keeps the records.
    """
    with the_only_one(engine) as connection:
        if connection is not None:
            _rebuild_here(connection, orthanc, broker, progress, issuer)
    if connection is None:
        _have_rebuilt(engine, progress)
    with engine.connect().execution_options(**READS_ONLY) as reader, reader.begin():
        return index.count(reader)


def _rebuild_here(
    connection: Connection, orthanc: OrthancClient, broker: Any, progress: Callable[[int], None], issuer: str
) -> None:
    migrate(connection)
    with connection.begin():
        begin_anew(connection)
    follower = Follower(connection, orthanc, agreed_secret(connection, broker), issuer=issuer)
    while (step := follower.step()).position.hurried:
        _show(step.position, progress)


def _have_rebuilt(engine: Engine, progress: Callable[[int], None]) -> None:
    """Ask the process that keeps the records for it, and wait until it is done."""
    with engine.connect() as connection:
        with connection.begin():
            rounds = begin_anew(connection) or 0
        reader = connection.execution_options(**READS_ONLY)
        while True:
            with reader.begin():
                now = read_position(reader)
            if now is not None and now.rounds > rounds:
                return
            if now is not None:
                _show(now, progress)
            time.sleep(LOOK_SECONDS)


def _show(position: Position, progress: Callable[[int], None]) -> None:
    if position.checked is None:
        progress(position.walked)
