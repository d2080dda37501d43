"""The sweep: follows Orthanc's changes, and catches up on what the webhook or a killed writer left undone.

It enqueues instances that the webhook missed, and shows truths whose writer died before they were shown. The cursor
moves only past changes that have been dealt with, so a sweep may die at any moment. What the broker has forgotten since
then is found by a slow walk over all that Orthanc holds, which also tries again what Orthanc did not deliver.
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from celery import Celery

from workers.broker.messages import CHUNK, hint, hint_jobs, hint_studies
from workers.broker.queues import BACKFILL, INSTANCE_QUEUES, LABEL, TRAIN
from workers.jobs.store import JobStore
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import Outcome
from workers.metadata.shown_label import may_not_show_truth, show_label
from workers.pacs import ChangesPage, OrthancClient, OrthancError
from workers.reconciliation.age import AgeRule, by_queue

__all__ = ["look_at_studies", "revive_jobs", "run"]

#: Changes read at a time.
PAGE = 1000
#: Seconds after which another sweep may start although this one has not released the lock.
LOCK_SECONDS = 100
#: Most pages that one run follows; the next run continues there.
PAGES_A_RUN = 50
#: Instances that the walk over all looks at in one sweep: by default a million a day.
WALKED = 250
#: Seconds until an instance that failed because Orthanc did not deliver it is tried again.
RETRY_SECONDS = 24 * 3600
#: Most instances per queue and sweep that get a new hint because their message got lost.
STRANDED = 64 * CHUNK
#: Studies that one message is for, and the most messages at a time.
STUDIES_A_RUN, STUDY_RUNS = 20, 16
#: Seconds that studies which have settled wait while instances do.
PATIENCE = 60.0
#: At a site that sets nothing.
DEFAULT_AGES = AgeRule()

log = logging.getLogger(__name__)


def run(app: Celery, orthanc: OrthancClient, ledger: Ledger, ages: AgeRule = DEFAULT_AGES) -> int:
    """Sweep once; returns the number of instances enqueued or hinted at. Does nothing during another sweep."""
    lock = ledger.exclusive("sweep", LOCK_SECONDS)
    if not lock.acquire():
        return 0
    try:
        found = _follow_changes(app, orthanc, ledger, ages) + _walk(app, orthanc, ledger, ages)
        ledger.mend()
        return found + _revive_stranded(app, ledger)
    finally:
        if lock.owned():
            lock.release()


def _follow_changes(app: Celery, orthanc: OrthancClient, ledger: Ledger, ages: AgeRule) -> int:
    found = 0
    for number in range(PAGES_A_RUN):
        page = orthanc.changes(ledger.cursor, PAGE)
        if ledger.cursor > page.last:
            log.warning("database-reset cursor=%d last=%d", ledger.cursor, page.last)
            ledger.cursor = 0
            continue
        # More than one page behind: an archive, most likely, where an instance itself says nothing of its age.
        behind = number > 0 or not page.done
        stored = _changed(page, "NewInstance")
        found += _enqueue_missing(app, orthanc, ledger, ages, stored, BACKFILL if behind else LABEL)
        _show_truths(orthanc, orthanc.metadata_of(_changed(page, "UpdatedMetadata")))
        ledger.cursor = page.last
        if page.done:
            break
    return found


def _changed(page: ChangesPage, kind: str) -> list[str]:
    """The instances with a change of that kind, each once."""
    rows = (row for row in page.rows if row.kind == kind and row.level == "Instance")
    return list(dict.fromkeys(row.resource_id for row in rows))


def _enqueue_missing(
    app: Celery, orthanc: OrthancClient, ledger: Ledger, ages: AgeRule, instance_ids: Sequence[str], in_doubt: str
) -> int:
    missing = _without_outcome(orthanc, ledger, instance_ids)
    for queue, found in by_queue(orthanc, ages, missing, in_doubt).items():
        enqueue(app, ledger, found, queue)
        log.info("sweep-found instances=%d queue=%s", len(found), queue)
    return len(missing)


def _show_truths(orthanc: OrthancClient, metadata: Mapping[str, Mapping[str, str]]) -> None:
    """Make the labels of these instances, given with their metadata, show their truths."""
    for instance_id, its_own in metadata.items():
        if may_not_show_truth(its_own):
            try:
                show_label(orthanc, instance_id, its_own, None)
            except OrthancError as error:
                orthanc.statistics()  # raises if Orthanc is away: the next sweep tries again
                # It concerns only this instance, and must not hold up the others. The walk comes by again.
                log.warning("truth-not-shown instance=%s: %s", instance_id, error)


def _without_outcome(orthanc: OrthancClient, ledger: Ledger, instance_ids: Sequence[str]) -> list[str]:
    """The instances that neither have an open entry in the ledger nor carry an outcome."""
    held = ledger.holds(instance_ids)
    unknown = [instance_id for instance_id in instance_ids if instance_id not in held]
    metadata = orthanc.metadata_of(unknown)
    return [i for i in unknown if i in metadata and Outcome.of(metadata[i]) is None]


def _walk(app: Celery, orthanc: OrthancClient, ledger: Ledger, ages: AgeRule) -> int:
    """Look at the next instances of all; enqueue those that are nowhere, and those that failed long ago; show truths.

    Deletions move others up, past the walk: these are met in its next round.
    """
    since, long_ago = ledger.walked, time.time() - RETRY_SECONDS
    page = orthanc.metadata_page(since, WALKED)
    ledger.walked = since + len(page) if page else 0
    _show_truths(orthanc, page)
    held = ledger.holds(page)
    outcomes = {i: Outcome.of(metadata) for i, metadata in page.items() if i not in held}
    again = [i for i, outcome in outcomes.items() if outcome and _is_due(outcome, long_ago)]
    again += ledger.failed_before(long_ago)
    wanted = by_queue(orthanc, ages, [i for i, outcome in outcomes.items() if outcome is None], BACKFILL)
    if again:
        wanted[BACKFILL] = wanted.get(BACKFILL, []) + again
    for queue, found in wanted.items():
        enqueue(app, ledger, found, queue)
        log.info("walk-found instances=%d queue=%s", len(found), queue)
    return sum(map(len, wanted.values()))


def _is_due(outcome: Outcome, long_ago: float) -> bool:
    """Whether an instance with this outcome is to be tried again; `long_ago` in seconds since the epoch."""
    return outcome.retry and datetime.fromisoformat(outcome.labelled_at).timestamp() < long_ago


def _revive_stranded(app: Celery, ledger: Ledger) -> int:
    """Send new hints for instances that wait in the ledger although their queue has no message left."""
    revived = 0
    for queue in INSTANCE_QUEUES:
        if ledger.messages(queue):
            continue  # a worker that takes one of these also takes instances that wait
        stranded = ledger.due(queue, STRANDED)
        hint(app, stranded, queue)
        revived += len(stranded)
    return revived


def revive_jobs(app: Celery, ledger: Ledger, jobs: JobStore) -> int:
    """Send new hints for training jobs that may start but have no message, mostly because their run died."""
    due = 0 if ledger.messages(TRAIN) else jobs.due()
    hint_jobs(app, due)
    return due


def look_at_studies(app: Celery, ledger: Ledger, seconds: float) -> int:
    """Send messages for studies that have settled; they let instances that wait go first, for a while.

    Args:
        seconds: until the next sweep.
    """
    count, waited = ledger.settled()
    depth = ledger.depth()
    if waited < PATIENCE and any(depth[queue] for queue in INSTANCE_QUEUES):
        return 0
    runs = min(math.ceil(count / STUDIES_A_RUN), STUDY_RUNS)
    hint_studies(app, runs, seconds)
    return runs
