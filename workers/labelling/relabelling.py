"""Relabelling: instances that another version labelled are labelled again, behind everything that is new."""

from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery

from workers.broker.queues import BACKFILL
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, Outcome
from workers.pacs import OrthancClient

__all__ = ["Relabelling", "relabel_older"]

#: Instances read at a time.
PAGE = 1000
#: Instances that a page shares with the next one: if some are deleted meanwhile, those that move up are not missed.
OVERLAP = 100


@dataclass
class Relabelling:
    """Counts of the instances in one pass over Orthanc."""

    enqueued: int = 0
    waiting: int = 0
    """In the queue already."""
    current: int = 0
    """Labelled by the wanted version."""
    other: int = 0
    """Skipped, failed or without an outcome: not labelled by any version."""


def relabel_older(
    app: Celery, orthanc: OrthancClient, ledger: Ledger, version: str, progress: Callable[[int], None] = lambda _: None
) -> Relabelling:
    """Enqueue every instance that another version than `version` labelled or abstained on.

    Idempotent: after a stop at any point it can be run again, and leaves out what waits or is done. `progress` is
    called with the number of instances read.
    """
    result, seen, since = Relabelling(), set[str](), 0
    while page := orthanc.metadata_page(since, PAGE):
        fresh = {instance_id: metadata for instance_id, metadata in page.items() if instance_id not in seen}
        _enqueue_page(app, ledger, version, fresh, result)
        seen = set(page)
        since += PAGE - OVERLAP
        progress(since)
    return result


def _enqueue_page(
    app: Celery, ledger: Ledger, version: str, page: dict[str, dict[str, str]], result: Relabelling
) -> None:
    # An instance that was finished since its metadata were read is enqueued in vain; the worker closes it unlabelled.
    held = ledger.holds(page)
    older = []
    for instance_id, metadata in page.items():
        outcome = Outcome.of(metadata)
        if instance_id in held:
            result.waiting += 1
        elif outcome is None or outcome.status not in (LABELLED, NEEDS_REVIEW):
            result.other += 1
        elif outcome.model == version:
            result.current += 1
        else:
            older.append(instance_id)
    if older:
        enqueue(app, ledger, older, BACKFILL)
    result.enqueued += len(older)
