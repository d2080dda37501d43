"""Entries of the journal that are open: what they say is written to Orthanc if what stood before them still stands.

What is carried over begins as such an entry; what was set through us is one where the writer died in between.
"""

import logging
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from workers.metadata.outcome import TRUTH
from workers.metadata.shown_label import show_label
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient, OrthancConflict, OrthancError, OrthancNotFound, OrthancRefused
from workers.records.journal import OVERTAKEN, REFUSED, WRITTEN, Entry, close, kept, open_entries

__all__ = ["Completing"]

#: Entries at a time.
BATCH = 50
#: Seconds that whoever sets a truth has for writing it. Completed too soon, it is written once all the same.
PATIENCE_SECONDS = 15
#: Seconds until an entry is tried again for whose instance alone Orthanc does not answer.
RETRY_SECONDS = 60.0

log = logging.getLogger(__name__)


class Completing:
    """Completes entries, or closes them. ``connection``: of the process that keeps the records."""

    def __init__(self, connection: Connection, orthanc: OrthancClient) -> None:
        self._connection, self._orthanc = connection, orthanc
        self._put_off: dict[int, float] = {}

    def step(self) -> None:
        """Deal with the next open entries.

        Raises:
            OrthancError: Orthanc is away.
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        now = time.monotonic()
        self._put_off = {number: until for number, until in self._put_off.items() if until > now}
        long_ago = (datetime.now(UTC) - timedelta(seconds=PATIENCE_SECONDS)).isoformat(timespec="seconds")
        with self._connection.begin():
            some = open_entries(self._connection, long_ago, self._put_off, BATCH)
        for entry in some:
            if end := self._end_of(entry):
                with self._connection.begin():
                    close(self._connection, entry, end)
                log.info("journal-entry-closed instance=%s origin=%s end=%s", entry.instance, entry.origin, end)

    def _end_of(self, entry: Entry) -> str | None:
        """Complete the entry if that can be done; how it ends, or None if it stays open for now."""
        try:
            return self._completed(entry)
        except OrthancConflict:
            return None  # somebody has just said something: it is looked at again
        except OrthancNotFound:
            return OVERTAKEN
        except OrthancRefused as error:
            log.warning("truth-not-written instance=%s: %s", entry.instance, error)
            return REFUSED
        except OrthancError as error:
            self._orthanc.statistics()  # raises if Orthanc is away
            log.warning("truth-not-written instance=%s: %s", entry.instance, error)
            self._put_off[entry.id] = time.monotonic() + RETRY_SECONDS
            return None

    def _completed(self, entry: Entry) -> str:
        stored = self._orthanc.stored([entry.instance]).get(entry.instance)
        if stored is None or stored.file != entry.file or entry.truth is None:
            return OVERTAKEN
        found, text = kept(Truth.of(stored.metadata)), entry.truth.to_json()
        if found != entry.truth:
            if found != entry.before or (found is None and TRUTH in stored.metadata):
                return OVERTAKEN
            self._orthanc.replace_metadata(entry.instance, TRUTH, stored.metadata.get(TRUTH), text)
        show_label(self._orthanc, entry.instance, stored.metadata | {TRUTH: text}, None)
        return WRITTEN
