"""The records: whether their database can be used, and whether its tables are those of this version."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from workers.records.database import FILE, is_address, open_database
from workers.records.schema import revisions
from workers.sentences import sentence_of
from workers.settings import Settings
from workers.surroundings.finding import OK, WARNING, Finding
from workers.surroundings.machine import disk

__all__ = ["look_at_records", "room_for_records"]

#: What it costs; labels come all the same.
COST = "truths are refused, nobody can sign in, nothing is learned of headers, and the index stands still"


def look_at_records(settings: Settings) -> Iterator[Finding]:
    """Look at the database that the settings name, if they do; nothing is made or changed."""
    if settings.records is None:
        return
    yield from room_for_records(settings)
    if is_address(settings.records) or (Path(settings.records) / FILE).exists():
        yield _tables(settings.records)


def room_for_records(settings: Settings) -> Iterator[Finding]:
    """Whether there is room in the folder of SQLite, and whether it can be written to."""
    if settings.records is not None and not is_address(settings.records):
        fix = "make room, or name another folder: MSK_RECORDS"
        yield disk("Folder of the records", Path(settings.records), fix, needed=False)


def _tables(place: str) -> Finding:
    try:
        engine = open_database(place)
        with engine.connect() as connection:
            present, needed = revisions(connection)
        engine.dispose()
    except (SQLAlchemyError, OSError) as error:
        return Finding("Records", WARNING, f"{sentence_of(error) or type(error).__name__}; {COST}", "see MSK_RECORDS")
    if present == needed:
        return Finding("Records", OK, f"{engine.dialect.name}, tables {present}")
    if present is None:
        return Finding("Records", OK, f"{engine.dialect.name}, no tables yet: msk records run makes them")
    detail = f"{engine.dialect.name}, tables {present}, and this version has {needed}"
    return Finding("Records", WARNING, detail, "msk records run brings older ones up to date; newer ones it refuses")
