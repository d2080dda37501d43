"""Truths that are set through us: in the journal first, then on Orthanc."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from workers.metadata.truth import Truth, UnknownInstance
from workers.pacs import OrthancClient, OrthancConflict, OrthancNotFound, OrthancRefused
from workers.records.database import open_database
from workers.records.journal import OVERTAKEN, REFUSED, SET, WRITTEN, Entry, append, close, kept, put_hash
from workers.records.stored_picture import stored_hash

__all__ = ["RecordsJournal"]

log = logging.getLogger(__name__)


class RecordsJournal:
    """The journal in the records at this place, for `set_truth` and `withdraw_truth`. Connects when it is used."""

    def __init__(self, place: str, orthanc: OrthancClient) -> None:
        self._place, self._orthanc = place, orthanc

    @cached_property
    def engine(self) -> Engine:
        """The records' database. Raises OSError, as `open_database`."""
        return open_database(self._place)

    @contextmanager
    def __call__(self, instance_id: str, before: Truth | None, truth: Truth) -> Iterator[None]:
        """Make an entry; Orthanc is written to in the context. An entry whose end is not known stays open.

        Raises:
            SQLAlchemyError, OSError: the records are away; nothing has been written.
            UnknownInstance: Orthanc holds no such instance any more.
            OrthancError: passed on.
        """
        entry = self._made(instance_id, before, truth)
        try:
            yield
        except (OrthancConflict, OrthancNotFound):
            self._close(entry, OVERTAKEN)
            raise
        except OrthancRefused:
            self._close(entry, REFUSED)
            raise
        self._close(entry, WRITTEN)

    def _made(self, instance_id: str, before: Truth | None, truth: Truth) -> Entry:
        stored = self._orthanc.stored([instance_id]).get(instance_id)
        if stored is None:
            raise UnknownInstance("Orthanc holds no such instance")
        pixel_hash = stored_hash(self._orthanc, instance_id, stored.metadata)
        said = Entry(instance_id, stored.sop_instance, stored.file, kept(truth), kept(before), SET)
        with self.engine.begin() as connection:
            number = append(connection, said)
            if pixel_hash:
                put_hash(connection, stored.file, pixel_hash)
        return replace(said, id=number)

    def _close(self, entry: Entry, end: str) -> None:
        try:
            with self.engine.begin() as connection:
                close(connection, entry, end)
        except SQLAlchemyError as error:  # what was said is known; the process that keeps the records closes it
            log.warning("journal-entry-open entry=%d error=%s", entry.id, type(error).__name__)
