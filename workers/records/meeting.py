"""What the journal has to learn of truths on Orthanc, and what new instances have to get of the journal's.

The journal is read before Orthanc, and an entry is added only if its instance had no other since: what the gateway sets
in between looks neither deleted nor foreign.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, SCHEMA, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound, Stored
from workers.records import journal
from workers.records.journal import CARRIED, MET, WRITTEN, Entry, kept
from workers.records.row import Row
from workers.records.stored_picture import stored_hash

__all__ = ["Meeting", "Met"]

#: Orthanc's own metadata of a copy: the instance that it was made of.
MODIFIED_FROM, ANONYMIZED_FROM = "ModifiedFrom", "AnonymizedFrom"
SAME_PIXELS, MODIFIED, RESTORED = "same pixels", "modified from it", "Orthanc lost it, as with an older backup"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Met:
    """What is to be added to the journal."""

    entries: list[Entry] = field(default_factory=list)
    """Those without an end shall be written to Orthanc."""
    seen: Mapping[str, Entry] = field(default_factory=dict)
    """The last entries of all instances that were looked at, by then."""
    hashes: list[tuple[str, str]] = field(default_factory=list)
    """Files, and what their pixels hash to."""
    unread: list[str] = field(default_factory=list)
    """Instances with a truth whose pixels no label worker has hashed; one of this version would."""


@dataclass(frozen=True)
class _Known:
    """What the journal knows of some instances and of those that they may be copies of."""

    last: Mapping[str, Entry]
    sources: Mapping[str, Entry]
    """By the instance that a copy was made of."""
    by_hash: Mapping[str, Entry]
    hashes: Mapping[str, Collection[str]]
    """By file."""

    def source_of(self, instance_id: str, modified_from: str, pixel_hash: str) -> tuple[Entry | None, str]:
        """The entry that counts for an instance with these pixels, and why: never one about others."""
        copied = self.sources.get(modified_from)
        hashes = self.hashes.get(copied.file, ()) if copied else ()
        if copied and copied.end == WRITTEN and (not hashes or pixel_hash in hashes):
            return copied, SAME_PIXELS if hashes else MODIFIED
        overwritten = self.last.get(instance_id)
        if overwritten and overwritten.end == WRITTEN and pixel_hash in self.hashes.get(overwritten.file, ()):
            return overwritten, SAME_PIXELS
        return self.by_hash.get(pixel_hash), SAME_PIXELS


class Meeting:
    """Compares instances with the journal. ``connection``: of the process that keeps the records."""

    def __init__(self, connection: Connection, orthanc: OrthancClient) -> None:
        self._connection, self._orthanc = connection, orthanc

    def look(self, rows: Collection[Row], metadata: Mapping[str, Mapping[str, str]], *, restored: bool) -> Met:
        """Compare these instances with the journal.

        Args:
            metadata: which of them to look at is seen in these; those are read once more.
            restored: whether Orthanc lost what it had since an earlier time, so that nobody deleted what is missing.
        """
        known = self._known(rows, metadata)
        wanted = [row.instance for row in rows if self._concerns(row, metadata[row.instance], known)]
        met = Met(seen=known.last)
        for instance_id, stored in (self._orthanc.stored(wanted) if wanted else {}).items():
            try:
                self._look_at(instance_id, stored, known, met, restored=restored)
            except OrthancNotFound:
                continue  # deleted in between
            except OrthancError as error:
                self._orthanc.statistics()  # raises if Orthanc is away
                # It concerns only this instance, and must not hold up the others. The walk comes by again.
                log.warning("truth-not-looked-at instance=%s: %s", instance_id, error)
        return met

    def keep(self, met: Met) -> None:
        """Add it to the journal, in the caller's transaction; but nothing about what was changed meanwhile."""
        if not met.entries and not met.hashes:
            return
        journal.lock(self._connection)
        now = journal.last_by_instance(self._connection, [entry.instance for entry in met.entries])
        for entry in met.entries:
            last, seen = now.get(entry.instance), met.seen.get(entry.instance)
            if (last and last.id) == (seen and seen.id):
                journal.append(self._connection, entry, entry.end)
        for file, pixel_hash in met.hashes:
            journal.put_hash(self._connection, file, pixel_hash)

    def _known(self, rows: Collection[Row], metadata: Mapping[str, Mapping[str, str]]) -> _Known:
        with self._connection.begin():
            last = journal.last_by_instance(self._connection, [row.instance for row in rows])
            named = {metadata[row.instance].get(MODIFIED_FROM, "") for row in rows} - {""}
            sources = journal.last_by_instance(self._connection, named)
            by_hash = journal.last_by_hash(self._connection, {row.pixel_hash for row in rows if row.pixel_hash})
            files = {entry.file for entry in (*last.values(), *sources.values())}
            return _Known(last, sources, by_hash, journal.hashes_of(self._connection, files))

    @staticmethod
    def _concerns(row: Row, metadata: Mapping[str, str], known: _Known) -> bool:
        copy = metadata.get(MODIFIED_FROM) in known.sources or row.pixel_hash in known.by_hash
        return TRUTH in metadata or row.instance in known.last or (copy and row.status is not None)

    def _look_at(self, instance_id: str, stored: Stored, known: _Known, met: Met, *, restored: bool) -> None:
        last, found = known.last.get(instance_id), kept(Truth.of(stored.metadata))
        if found is None and TRUTH in stored.metadata:
            return  # nobody can read it
        entry = Entry(instance_id, stored.sop_instance, stored.file, found, last.truth if last else None, MET)
        same_file = last is not None and last.file == stored.file
        if last and last.end is None and found in (last.truth, last.before):
            pass  # it is being written, or waits to be completed
        elif found:
            if not (same_file and last and last.truth == found):
                met.entries.append(self._found(entry, last if same_file and restored else None))
        elif last and same_file:
            if last.end and last.label:
                met.entries.append(_lost(entry) if restored else replace(entry, end=WRITTEN))
        elif inherited := self._inherited(entry, stored, known):
            met.entries.append(inherited)
        if found:
            self._read_hash(instance_id, stored, known, met)

    def _found(self, entry: Entry, lost: Entry | None) -> Entry:
        """A truth that the journal does not have yet; or, where it came back with a backup, what has to replace it.

        Args:
            lost: the last entry, where that was lost.
        """
        if lost and entry.truth:
            with self._connection.begin():
                came_back = journal.has_stood(self._connection, entry.instance, entry.truth)
            if came_back:
                withdrawn = entry.truth.followed_by(Statement(None, "", lost.time, withdrawn=True))
                return _lost(replace(entry, before=lost.truth or withdrawn), stands=entry.truth)
        return replace(entry, end=WRITTEN)

    def _inherited(self, entry: Entry, stored: Stored, known: _Known) -> Entry | None:
        """What an instance without a truth gets of one that it is a copy of."""
        if ANONYMIZED_FROM in stored.metadata or Outcome.of(stored.metadata) is None:
            return None  # it comes by again once it is labelled
        pixel_hash = stored_hash(self._orthanc, entry.instance, stored.metadata)
        source, why = known.source_of(entry.instance, stored.metadata.get(MODIFIED_FROM, ""), pixel_hash)
        if source is None or source.truth is None or source.label is None:
            return None
        if self._orthanc.is_deidentified(entry.instance):
            return None
        now = replace(source.truth.now, origin=f"carried over from {source.instance}; {why}")
        truth = Truth(now, (*source.truth.history, source.truth.now))
        return replace(entry, truth=truth, before=None, origin=CARRIED, source=source.instance, reason=why)

    def _read_hash(self, instance_id: str, stored: Stored, known: _Known, met: Met) -> None:
        """Learn what the pixels of an instance with a truth hash to, while it is there."""
        if known.hashes.get(stored.file):
            return
        outcome = Outcome.of(stored.metadata)
        if pixel_hash := stored_hash(self._orthanc, instance_id, stored.metadata):
            met.hashes.append((stored.file, pixel_hash))
        elif outcome and outcome.status in (LABELLED, NEEDS_REVIEW) and outcome.schema < SCHEMA:
            met.unread.append(instance_id)


def _lost(entry: Entry, stands: Truth | None = None) -> Entry:
    """An entry that has Orthanc get back what it lost: what stood ``before``, in place of what ``stands`` now."""
    return replace(
        entry, truth=entry.before, before=stands, origin=CARRIED, source=entry.instance, reason=RESTORED, end=None
    )
