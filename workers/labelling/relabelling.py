"""Relabelling: what another version of the model said is looked at again, behind everything that is new."""

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
#: So many of them come again with the next page: what moves up because something was deleted meanwhile is not missed.
OVERLAP = 100


@dataclass
class Relabelling:
    """What became of the instances in one pass over Orthanc."""

    enqueued: int = 0
    waiting: int = 0
    """In the queue already."""
    current: int = 0
    """Labelled by the wanted version."""
    other: int = 0
    """Skipped, failed or without any outcome: no version's work."""


def relabel_older(
    app: Celery, orthanc: OrthancClient, ledger: Ledger, version: str, progress: Callable[[int], None] = lambda _: None
) -> Relabelling:
    """Enqueue every instance that another version than `version` labelled or left to a person.

    It may be stopped anywhere and run again: what waits or is done is not enqueued twice. `progress` is told how many
    instances were looked at.
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
    # What is finished between the reading of its metadata and this is enqueued for nothing; the worker sees that.
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
