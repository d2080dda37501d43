"""The records as the gateway and commands on its machine open them: when first needed, in short transactions.

Several processes of one machine may do so at once: SQLite's write-ahead log lets all read while one writes, and each
transaction here ends within milliseconds, for which the others wait.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from workers.records.database import READS_ONLY, open_database
from workers.records.schema import migrate

__all__ = ["OpenedRecords"]


class OpenedRecords:
    """The records at that place; nothing is opened yet.

    The methods raise `sqlalchemy.exc.SQLAlchemyError` and OSError where the database is away, and RecordsError where a
    newer version has written it.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._opened().connect().execution_options(**READS_ONLY) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on the disk when the block has ended well."""
        with self._opened().begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections; the next transaction opens others."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = open_database(self._place)
                with engine.connect() as connection:
                    migrate(connection)
                self._engine = engine
            return self._engine
