"""Following Orthanc: its changes become rows of the index, in batches, beside a slow walk over all that it holds.

The rows of a batch and the position after it are written in one transaction, so that the process may be killed at any
moment, and what it does twice does no harm. Each batch is bounded, and so is the memory.

A deletion stands in no list of changes. Orthanc's plugin tells of it; and each round of the walk first puts in what
Orthanc holds, page by page, and then looks for every row in Orthanc, and drops what is gone. The first round makes the
index; later ones mend it.

What people said is compared with the journal on the way, and carried over to copies (`meeting.py`, `completing.py`).
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from workers.pacs import Above, ChangesPage, OrthancClient, OrthancNotFound
from workers.records import index
from workers.records.completing import Completing
from workers.records.deletions import Deletions
from workers.records.hierarchy import Hierarchy, issuer_hash
from workers.records.meeting import Meeting, Met
from workers.records.position import Overtaken, Position, move, read_position
from workers.records.row import Row

__all__ = ["Follower", "Step"]

#: Changes read at a time.
PAGE = 500
#: Instances that a step of the walk looks at, and in a hurry.
WALKED, WALKED_IN_A_HURRY = 250, 500
#: Seconds between two steps of the walk that is in no hurry: 700,000 instances a day, each met twice.
WALK_SECONDS = 15.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What one step has done."""

    position: Position
    changed: int = 0
    """Rows that are new, differ from before, or are gone."""
    with_claims: int = 0
    """Of these, rows that headers can be learned from."""
    is_behind: bool = False
    """Whether there is more to be done at once."""
    unread: tuple[str, ...] = ()
    """Instances with a truth whose pixels no label worker has hashed."""


class Follower:
    """Brings the index up to date, step by step.

    Args:
        connection: of `the_only_one`.
        key: what patients are hashed with.
        deletions: those that were told of.
        issuer: of the patients' numbers of files that name none.
    """

    def __init__(
        self,
        connection: Connection,
        orthanc: OrthancClient,
        key: bytes,
        deletions: Deletions | None = None,
        issuer: str = "",
    ) -> None:
        self._connection, self._orthanc, self._key, self._deletions = connection, orthanc, key, deletions
        self._issuer = issuer
        self._meeting, self._completing = Meeting(connection, orthanc), Completing(connection, orthanc)
        self._next_walk = 0.0

    def step(self) -> Step:
        """Follow the next changes, take the next step of the walk if it is time, and write what is carried over.

        Raises:
            OrthancError: Orthanc is away.
            redis.RedisError: the broker is away.
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        done = self._step()
        self._completing.step()
        return done

    def _step(self) -> Step:
        with self._connection.begin():
            start = read_position(self._connection)
        try:
            if start is None:
                return Step(self._write(None, Position(0, self._orthanc.last_change())), is_behind=True)
            followed = self._follow(start)
            now = followed.position
            if not now.hurried and time.monotonic() < self._next_walk:
                return followed
            walked = self._check(now) if now.checked is not None else self._walk(now)
        except Overtaken:  # a rebuild was asked for
            return Step(start or Position(0, 0), is_behind=True)
        self._next_walk = time.monotonic() + WALK_SECONDS
        return replace(
            walked,
            changed=followed.changed + walked.changed,
            with_claims=followed.with_claims + walked.with_claims,
            is_behind=followed.is_behind or walked.position.hurried,
            unread=(*followed.unread, *walked.unread),
        )

    def _follow(self, start: Position) -> Step:
        page = self._orthanc.changes(start.changes, PAGE)
        if page.last < start.changes:
            log.warning("database-reset cursor=%d last=%d", start.changes, page.last)
            anew = replace(start.at_new_round(), changes=page.last, restored=True)
            return Step(self._write(start, anew), is_behind=True)
        deleted = self._deletions.waiting() if self._deletions else []
        if page.last == start.changes and not deleted:
            return Step(start)
        named = list(dict.fromkeys([*_instances(page), *deleted]))
        metadata = self._orthanc.metadata_of(named)
        rows = self._rows(named, metadata)
        gone = set(named) - {row.instance for row in rows}
        end = replace(start, changes=page.last)
        met = self._meeting.look(rows, metadata, restored=start.restored)
        step = self._put(start, end, rows, gone, met, is_behind=not page.done)
        if self._deletions:
            self._deletions.done(deleted)
        return step

    def _walk(self, start: Position) -> Step:
        """Put in the next instances that Orthanc holds. Deletions move others up, past the walk: in its next round."""
        page = self._orthanc.metadata_page(start.walked, WALKED_IN_A_HURRY if start.hurried else WALKED)
        if not page:
            return Step(self._write(start, replace(start, checked="")))
        rows = self._rows(list(page), page, anew=start.hurried)
        met = self._meeting.look(rows, page, restored=start.restored)
        return self._put(start, replace(start, walked=start.walked + len(page)), rows, (), met)

    def _check(self, start: Position) -> Step:
        """Drop those of the next rows whose instance is gone."""
        with self._connection.begin():
            some = index.after(self._connection, start.checked or "", WALKED_IN_A_HURRY if start.hurried else WALKED)
        if not some:
            end = replace(start, walked=0, checked=None, rounds=start.rounds + 1, hurried=False, restored=False)
            return Step(self._write(start, end))
        rows = self._rows(some, self._orthanc.metadata_of(some))
        gone = set(some) - {row.instance for row in rows}
        return self._put(start, replace(start, checked=some[-1]), rows, gone, Met())

    def _rows(
        self, instance_ids: Sequence[str], metadata: Mapping[str, Mapping[str, str]], *, anew: bool = False
    ) -> list[Row]:
        """The rows of those of the instances that Orthanc holds, given with their metadata.

        Args:
            anew: whether to ask Orthanc also for what the index knows.
        """
        held = [instance_id for instance_id in instance_ids if instance_id in metadata]
        known = {} if anew else self._known(held)
        above = self._orthanc.above([each for each in held if each not in known])
        issuers = self._issuers(above, anew=anew)
        for each, its in above.items():
            if its.study in issuers:
                known[each] = Hierarchy.from_orthanc(its, issuers[its.study], self._key)
        return [Row.of(each, known[each], metadata[each]) for each in held if each in known]

    def _known(self, instance_ids: Sequence[str]) -> dict[str, Hierarchy]:
        with self._connection.begin():
            return index.hierarchies(self._connection, instance_ids)

    def _issuers(self, above: Mapping[str, Above], *, anew: bool) -> dict[str, str]:
        """Who issued the patient's number, hashed, by study: as one of its instances says, so that one file is read."""
        found: dict[str, str] = {}
        if not anew:
            with self._connection.begin():
                found = index.issuers(self._connection, {its.study for its in above.values()})
        for each, its in above.items():
            if its.study not in found:
                try:
                    named = self._orthanc.issuer_of_patient_id(each)
                except OrthancNotFound:
                    continue  # deleted in between; another one of the study may say it
                found[its.study] = issuer_hash(named or self._issuer, self._key)
        return found

    def _put(
        self,
        start: Position,
        end: Position,
        rows: Sequence[Row],
        gone: Collection[str],
        met: Met,
        *,
        is_behind: bool = False,
    ) -> Step:
        with self._connection.begin():
            changed = index.put(self._connection, rows)
            dropped = index.drop(self._connection, gone)
            self._meeting.keep(met)
            move(self._connection, start, end)
        with_claims = sum(row.claims is not None for row in changed)
        moved = replace(end, version=end.version + 1)
        return Step(moved, len(changed) + dropped, with_claims, is_behind, tuple(met.unread))

    def _write(self, start: Position | None, end: Position) -> Position:
        with self._connection.begin():
            move(self._connection, start, end)
        return replace(end, version=end.version + 1)


def _instances(page: ChangesPage) -> list[str]:
    """The instances that something happened to, each once."""
    return list(dict.fromkeys(row.resource_id for row in page.rows if row.level == "Instance"))
