"""The sweep: makes the path complete. It follows Orthanc's changes, enqueues what the webhook missed, and shows truths
whose writer died before they were shown.

The cursor moves only after what lies before it is dealt with, so a sweep may die at any moment.
"""

import logging
from collections.abc import Sequence

from celery import Celery

from workers.broker.messages import CHUNK, hint, hint_jobs
from workers.broker.queues import BACKFILL, INSTANCE_QUEUES, LABEL, TRAIN
from workers.jobs.store import JobStore
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import Outcome
from workers.metadata.shown_label import may_be_hidden, show_label
from workers.pacs import ChangesPage, OrthancClient, OrthancError, OrthancUnavailable

__all__ = ["revive_jobs", "run", "without_outcome"]

#: Changes read at a time.
PAGE = 1000
#: Seconds after which another sweep may start although this one has not said that it ended.
LOCK_SECONDS = 100
#: Pages that one run follows at most; the next one goes on where it stopped.
PAGES_A_RUN = 50
#: Hints sent at a time for instances whose message got lost.
STRANDED = 64 * CHUNK

log = logging.getLogger(__name__)


def run(app: Celery, orthanc: OrthancClient, ledger: Ledger) -> int:
    """Sweep once; returns how many instances were enqueued. Does nothing while another one sweeps."""
    lock = ledger.exclusive("sweep", LOCK_SECONDS)
    if not lock.acquire():
        return 0
    try:
        return _follow_changes(app, orthanc, ledger) + _revive_stranded(app, ledger)
    finally:
        if lock.owned():
            lock.release()


def _follow_changes(app: Celery, orthanc: OrthancClient, ledger: Ledger) -> int:
    found = 0
    for number in range(PAGES_A_RUN):
        page = orthanc.changes(ledger.cursor, PAGE)
        if ledger.cursor > page.last:
            log.warning("database-reset cursor=%d last=%d", ledger.cursor, page.last)
            ledger.cursor = 0
            continue
        # More than a page behind is an archive, which gives way to what is stored now.
        behind = number > 0 or not page.done
        stored = _changed(page, "NewInstance")
        found += _enqueue_missing(app, orthanc, ledger, stored, BACKFILL if behind else LABEL)
        _show_truths(orthanc, _changed(page, "UpdatedMetadata"))
        ledger.cursor = page.last
        if page.done:
            break
    return found


def _changed(page: ChangesPage, kind: str) -> list[str]:
    """Instances to which that happened."""
    rows = (row for row in page.rows if row.kind == kind and row.level == "Instance")
    return list(dict.fromkeys(row.resource_id for row in rows))


def _enqueue_missing(
    app: Celery, orthanc: OrthancClient, ledger: Ledger, instance_ids: Sequence[str], queue: str
) -> int:
    missing = without_outcome(orthanc, ledger, instance_ids)
    if missing:
        enqueue(app, ledger, missing, queue)
        log.info("sweep-found instances=%d queue=%s", len(missing), queue)
    return len(missing)


def _show_truths(orthanc: OrthancClient, instance_ids: Sequence[str]) -> None:
    """See to it that the labels say what people said."""
    for instance_id, metadata in orthanc.metadata_of(instance_ids).items():
        if may_be_hidden(metadata):
            try:
                show_label(orthanc, instance_id, metadata, None)
            except OrthancUnavailable:  # for the next sweep
                raise
            except OrthancError as error:  # of this instance, which must not hold up the others
                log.warning("truth-not-shown instance=%s: %s", instance_id, error)


def without_outcome(orthanc: OrthancClient, ledger: Ledger, instance_ids: Sequence[str]) -> list[str]:
    """Those of the instances that are neither open in the ledger nor carry an outcome."""
    held = ledger.holds(instance_ids)
    unknown = [instance_id for instance_id in instance_ids if instance_id not in held]
    metadata = orthanc.metadata_of(unknown)
    return [i for i in unknown if i in metadata and Outcome.of(metadata[i]) is None]


def _revive_stranded(app: Celery, ledger: Ledger) -> int:
    """Send hints for what waits in the ledger while the broker has no message that would lead there."""
    revived = 0
    for queue in INSTANCE_QUEUES:
        if ledger.messages(queue):
            continue  # a worker that takes one of these will take what waits along
        stranded = ledger.due(queue, STRANDED)
        hint(app, stranded, queue)
        revived += len(stranded)
    return revived


def revive_jobs(app: Celery, ledger: Ledger, jobs: JobStore) -> int:
    """Send hints for training jobs that nobody does and that have no message: those whose run died, above all."""
    due = 0 if ledger.messages(TRAIN) else jobs.due()
    hint_jobs(app, due)
    return due
