"""The journal of truths: what was said of which picture, what stood before, and what came of it.

An entry is made before Orthanc is written to, and how that ended is an entry of its own, so that one whose writer died
is seen to be open. Nothing is ever changed or removed. Each function works in the caller's transaction.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from mskmodel.tables.label_cell import NONE
from workers.metadata.truth import Statement, Truth
from workers.records import audit_log
from workers.records.schema import journal, journal_ends, pictures

__all__ = [
    "CARRIED",
    "MET",
    "OVERTAKEN",
    "REFUSED",
    "SET",
    "WRITTEN",
    "Entry",
    "append",
    "close",
    "has_stood",
    "hashes_of",
    "kept",
    "last_by_hash",
    "last_by_instance",
    "latest",
    "lock",
    "open_entries",
    "put_hash",
]

#: Where what is said comes from: set through us, met on Orthanc, carried over from another entry.
SET, MET, CARRIED = "set", "met", "carried over"
#: How an entry ends: it stands on Orthanc; something else was there by then; Orthanc does not take it.
WRITTEN, OVERTAKEN, REFUSED = "written", "overtaken", "refused"
#: Values in one statement.
BATCH = 500
#: Number of PostgreSQL's lock under which entries are made, so that their numbers are in the order of commits: "MSKJ".
ADVISORY_LOCK = 0x4D534B4A
#: Who carries over, in the audit log.
OURSELVES = "labeller"
_LONGEST = 200


@dataclass(frozen=True)
class Entry:
    """What is said of one instance. ``id`` and ``time`` are of the journal; ``end`` is None while it is open."""

    instance: str
    sop_instance: str
    """SOP Instance UID."""
    file: str
    """Orthanc's identifier of the stored file: another one once the instance is overwritten."""
    truth: Truth | None
    """As it shall stand in Orthanc; None where it is deleted there."""
    before: Truth | None
    """What stood there until then."""
    origin: str
    source: str | None = None
    """The instance that it is carried over from, and why (``reason``)."""
    reason: str | None = None
    id: int = 0
    time: str = ""
    end: str | None = None

    @property
    def label(self) -> str | None:
        """A class or `none`; None for a withdrawal."""
        return None if self.truth is None or self.truth.now.withdrawn else self.truth.label or NONE


def kept(truth: Truth | None) -> Truth | None:
    """The truth as it is kept: where other software wrote it, no name or time but a plain one."""
    return truth and Truth(_plain(truth.now), tuple(map(_plain, truth.history)))


def _plain(said: Statement) -> Statement:
    author, time, origin = map(_printable, (said.author, said.time, said.origin))
    return replace(said, author=author, time=time, origin=origin)


def _printable(value: str) -> str:
    return value if value.isprintable() and len(value) <= _LONGEST else ""


def lock(connection: Connection) -> None:
    """Keep others from adding entries until the end of the transaction. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))


def append(connection: Connection, entry: Entry, end: str | None = None) -> int:
    """Add an entry, and its end where that is known already; its number."""
    lock(connection)
    now = entry.truth.now if entry.truth else Statement(None, "", "", withdrawn=True)
    row = {
        "time": _now(),
        "label": entry.label,
        "author": now.author,
        "said_at": now.time,
        "truth": _json(entry.truth),
        "before": _json(entry.before),
    }
    same = {name: getattr(entry, name) for name in ("instance", "sop_instance", "file", "origin", "source", "reason")}
    result = connection.execute(insert(journal).values(row | same))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    if end is not None:
        close(connection, replace(entry, id=number), end)
    return number


def close(connection: Connection, entry: Entry, end: str) -> None:
    """Say how an entry ended, unless that was said already."""
    statement = _insert(connection)(journal_ends).values(entry=entry.id, end=end, time=_now())
    if not connection.execute(statement.on_conflict_do_nothing()).rowcount:
        return
    done = f"truth {entry.origin}" if entry.label else f"truth withdrawal {entry.origin}"
    said_by = entry.truth.now.author if entry.truth else ""
    details = {"entry": entry.id, "label": entry.label, "end": end, "from": entry.source}
    audit_log.note(connection, OURSELVES if entry.origin == CARRIED else said_by, done, entry.instance, details)


def last_by_instance(connection: Connection, instance_ids: Collection[str]) -> dict[str, Entry]:
    """The last entry of each of these instances that has one, but for those that came to nothing."""
    found = {}
    for some in _batches(list(instance_ids)):
        last = select(func.max(journal.c.id)).outerjoin(journal_ends).where(journal.c.instance.in_(some))
        last = last.where(or_(journal_ends.c.end.is_(None), journal_ends.c.end == WRITTEN))
        for entry in _entries(connection, _all().where(journal.c.id.in_(last.group_by(journal.c.instance)))):
            found[entry.instance] = entry
    return found


def last_by_hash(connection: Connection, hashes: Collection[str]) -> dict[str, Entry]:
    """The last entry about each of these pictures, by the hash of its pixels, of those that were written."""
    found: dict[str, Entry] = {}
    for some in _batches(list(hashes)):
        last = select(pictures.c.pixel_hash, func.max(journal.c.id).label("id"))
        last = last.join(journal, journal.c.file == pictures.c.file).join(journal_ends)
        last = last.where(pictures.c.pixel_hash.in_(some), journal_ends.c.end == WRITTEN)
        numbers = {row.id: row.pixel_hash for row in connection.execute(last.group_by(pictures.c.pixel_hash))}
        for entry in _entries(connection, _all().where(journal.c.id.in_(numbers))):
            found.update((pixel_hash, entry) for number, pixel_hash in numbers.items() if number == entry.id)
    return found


def has_stood(connection: Connection, instance_id: str, truth: Truth) -> bool:
    """Whether an instance had this truth at an earlier time, as far as the journal knows."""
    wanted = select(journal.c.truth, journal.c.before).where(journal.c.instance == instance_id)
    text_of = _json(truth)
    return any(text_of in (row.truth, row.before) for row in connection.execute(wanted))


def open_entries(connection: Connection, set_before: str, without: Collection[int], limit: int) -> list[Entry]:
    """Entries that have not ended, the oldest first; those that were set through us only if from before that time."""
    wanted = _all().where(journal_ends.c.end.is_(None), journal.c.id.not_in(without))
    wanted = wanted.where(or_(journal.c.origin != SET, journal.c.time < set_before))
    return list(_entries(connection, wanted.order_by(journal.c.id).limit(limit)))


def put_hash(connection: Connection, file: str, pixel_hash: str) -> None:
    """Keep what the pixels of a file hash to."""
    statement = _insert(connection)(pictures).values(file=file, pixel_hash=pixel_hash)
    connection.execute(statement.on_conflict_do_nothing())


def hashes_of(connection: Connection, files: Collection[str]) -> dict[str, set[str]]:
    """What the pixels of these files hash to, as far as that is known."""
    found: dict[str, set[str]] = {}
    for some in _batches(list(files)):
        for row in connection.execute(select(pictures).where(pictures.c.file.in_(some))):
            found.setdefault(row.file, set()).add(row.pixel_hash)
    return found


def latest(connection: Connection, count: int, before: int | None = None, instance: str = "") -> list[dict[str, Any]]:
    """The last entries as plain values, the newest first: of those numbered under `before`, and of `instance`."""
    wanted = _all().order_by(journal.c.id.desc()).limit(count)
    if before is not None:
        wanted = wanted.where(journal.c.id < before)
    if instance:
        wanted = wanted.where(journal.c.instance == instance)
    rows = [dict(row) for row in connection.execute(wanted).mappings()]
    hashes = hashes_of(connection, {row["file"] for row in rows})
    return [row | {"pixel_hashes": sorted(hashes.get(row["file"], ()))} for row in rows]


def _all() -> Select[Any]:
    return select(journal, journal_ends.c.end).outerjoin(journal_ends)


def _entries(connection: Connection, wanted: Select[Any]) -> Iterator[Entry]:
    return map(_entry, connection.execute(wanted).mappings())


def _entry(row: RowMapping) -> Entry:
    same = {name: row[name] for name in Entry.__dataclass_fields__ if name not in ("truth", "before")}
    return Entry(truth=_truth(row["truth"]), before=_truth(row["before"]), **same)


def _json(truth: Truth | None) -> Any:
    return None if truth is None else json.loads(truth.to_json())


def _truth(fields: Any) -> Truth | None:
    return None if fields is None else Truth.from_json(json.dumps(fields))


def _insert(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
