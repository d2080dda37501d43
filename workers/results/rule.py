"""The rule that each study gets its report: some time after the last of its instances got its outcome or a truth.

It follows Orthanc's changes from where it was first started. A study with a change is noted in the broker first, and
forgotten once its report is right, so that a run may die at any moment. What the broker has lost is found by a pass
over all studies on request, which writes nothing where a report is right.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from workers.ledger import Ledger
from workers.metadata.outcome import PREDICTION, TRUTH
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound
from workers.results.reporting import WAITING, write_report
from workers.results.study import StudyError

__all__ = ["Rule"]

#: Of the last change that was noted, and the studies with a change, by when they are due.
CURSOR, DUE = "msk:reports:cursor", "msk:reports:due"
#: Seconds without a change after which a study is reported: siblings, too, have been heard by then.
QUIET = 60.0
#: Seconds until a study is tried again for which something failed, or whose run died.
RETRY = 600.0
#: Changes read at a time, and the most pages of one run.
PAGE, PAGES = 500, 20
#: Seconds after which another run may start although this one has not released the lock.
LOCK_SECONDS = 140
KINDS = ("NewInstance", "UpdatedMetadata")

log = logging.getLogger(__name__)


class Rule:
    """``broker``: a client of its database. Its methods raise OrthancError or redis.RedisError where those are away."""

    def __init__(self, orthanc: OrthancClient, ledger: Ledger, broker: Any) -> None:
        self._orthanc, self._ledger, self._broker = orthanc, ledger, broker

    def run(self, may_go_on: Callable[[], bool]) -> int:
        """Note what changed, and report studies that are due; how many. Does nothing during another run."""
        lock = self._ledger.exclusive("reports", LOCK_SECONDS)
        if not lock.acquire():
            return 0
        try:
            self._note()
            return self._report(may_go_on)
        finally:
            if lock.owned():
                lock.release()

    def _note(self) -> None:
        if (cursor := self._broker.get(CURSOR)) is None:
            self._broker.set(CURSOR, self._orthanc.last_change())
            return
        since = int(cursor)
        for _ in range(PAGES):
            page = self._orthanc.changes(since, PAGE)
            if page.last < since:
                log.warning("database-reset cursor=%d last=%d", since, page.last)
                since = 0
                continue
            studies = self._studies([row.resource_id for row in page.rows if row.kind in KINDS])
            if studies:
                self._broker.zadd(DUE, dict.fromkeys(studies, time.time() + QUIET))
            since = page.last
            self._broker.set(CURSOR, since)
            if page.done:
                return

    def _studies(self, instance_ids: list[str]) -> set[str]:
        """The studies of those of the instances that have an outcome or a truth."""
        metadata = self._orthanc.metadata_of(list(dict.fromkeys(instance_ids)))
        known = [each for each, its_own in metadata.items() if PREDICTION in its_own or TRUTH in its_own]
        return {parents.study for parents in self._orthanc.parents_of(known).values()}

    def _report(self, may_go_on: Callable[[], bool]) -> int:
        count = 0
        while may_go_on() and (due := self._broker.zrangebyscore(DUE, "-inf", time.time(), 0, 1)):
            (study,) = due
            # One that kills its run stands behind the others then.
            self._broker.zadd(DUE, {study: time.time() + RETRY})
            if self._is_done(study):
                self._broker.zrem(DUE, study)
                count += 1
        return count

    def _is_done(self, study: str) -> bool:
        """Report a study; whether it need not be looked at again before something changes."""
        try:
            if write_report(self._orthanc, self._ledger, study).status == WAITING:
                self._broker.zadd(DUE, {study: time.time() + QUIET})
                return False
        except StudyError as error:
            log.warning("report-refused study=%s reason=%s", study, error)
        except OrthancNotFound:
            log.info("study-deleted study=%s", study)
        except OrthancError as error:
            self._orthanc.statistics()  # raises if Orthanc is away
            log.warning("report-failed study=%s reason=%s", study, error)
            return False
        return True
