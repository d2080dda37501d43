"""The records' database: SQLite in a folder of its own, or PostgreSQL where an address names one.

Only the gateway, the records' process, and `msk users` on their machine open SQLite. In both, a transaction that ends
well is on the disk.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text

__all__ = ["FILE", "READS_ONLY", "is_address", "open_database", "the_only_one"]

#: In the folder of the records. What SQLite keeps beside it (`-wal`, `-shm`) belongs to it.
FILE = "records.sqlite"
LOCK = "following.lock"
#: Seconds that a statement waits for somebody else's transaction.
BUSY_SECONDS = 30
#: Seconds until a server that does not answer counts as away.
CONNECT_SECONDS = 5
#: Number of the lock in PostgreSQL that the one process holds: "MSKR".
ADVISORY_LOCK = 0x4D534B52

#: Execution options of transactions that only read: they keep no writer waiting, and wait for none.
READS_ONLY = {"reads_only": True}


def is_address(place: str) -> bool:
    """Whether the place of the records is the address of a server, and not a folder."""
    return "://" in place


def open_database(place: str) -> Engine:
    """The database at that place, `postgresql://user:password@host:port/name` or a folder, which is made.

    Nothing connects yet. Statements raise `sqlalchemy.exc.OperationalError` where the database is away.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    if is_address(place):
        url = make_url(place).set(drivername="postgresql+psycopg")
        options = f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout=10min"
        arguments = {"connect_timeout": CONNECT_SECONDS, "options": options}
        return create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)
    folder = Path(place)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / FILE
    file.touch(mode=0o600)
    engine = create_engine(
        URL.create("sqlite", database=str(file.resolve())),
        # SQLAlchemy begins the transactions: sqlite3 alone begins none before DDL.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    """Take SQLite's write lock at once, so that a transaction waits for it, and never fails half way for want of it."""
    reads = connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def the_only_one(engine: Engine) -> Iterator[Connection | None]:
    """A connection for the one process that follows Orthanc; None while another process is that one.

    The right ends with the block, with the process however it dies, and with PostgreSQL's connection.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with Path(str(engine.url.database)).with_name(LOCK).open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield None
                else:
                    yield connection
            return
        with connection.begin():
            held = connection.execute(text(f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})")).scalar_one()
        try:
            yield connection if held else None
        finally:
            connection.invalidate()  # back in the pool it would hold the lock still
