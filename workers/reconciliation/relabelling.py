"""Relabelling: instances that another version labelled, or that failed, are labelled again, behind everything new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from celery import Celery

from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.radiograph import Skipped
from workers.broker.queues import BACKFILL
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.pacs import OrthancClient

__all__ = ["Relabelling", "Wanted", "relabel", "relabel_named"]

#: Instances read at a time.
PAGE = 1000
#: Instances that a page shares with the next one: if some are deleted meanwhile, those that move up are not missed.
OVERLAP = 100


@dataclass(frozen=True)
class Wanted:
    """What is to be labelled again."""

    version: str
    """The one that is served."""
    older: bool
    """All that another version labelled or abstained on, or that says nothing of evidence."""
    failed: bool
    """All that failed, whatever the reason."""
    skipped: RadiographKinds | None = None
    """All that were skipped and may be radiographs of these kinds."""

    def includes(self, outcome: Outcome, sop_class: str) -> bool:
        """Whether an instance with this outcome and SOP class is meant."""
        if outcome.status == FAILED:
            return self.failed
        if outcome.status == SKIPPED:
            return self.skipped is not None and _may_be(self.skipped, sop_class)
        return self.older and outcome.status in (LABELLED, NEEDS_REVIEW) and not outcome.is_by(self.version)


def _may_be(kinds: RadiographKinds, sop_class: str) -> bool:
    try:
        kinds.check(sop_class, None)
    except Skipped:
        return False
    return True


@dataclass
class Relabelling:
    """Counts of the instances in one pass over Orthanc."""

    enqueued: int = 0
    waiting: int = 0
    """In the queue already."""
    current: int = 0
    """Labelled by the wanted version."""
    other: int = 0
    """Skipped, failed or without an outcome: not labelled by any version, and not asked for."""


def relabel(
    app: Celery,
    orthanc: OrthancClient,
    ledger: Ledger,
    wanted: Wanted,
    progress: Callable[[int], None] = lambda _: None,
) -> Relabelling:
    """Enqueue every instance that is wanted.

    Idempotent: after a stop at any point it can be run again, and leaves out what waits or is done. `progress` is
    called with the number of instances read.
    """
    result, seen, since = Relabelling(), set[str](), 0
    while page := orthanc.metadata_page(since, PAGE):
        fresh = {instance_id: metadata for instance_id, metadata in page.items() if instance_id not in seen}
        _enqueue_page(app, orthanc, ledger, wanted, fresh, result)
        seen = set(page)
        since += PAGE - OVERLAP
        progress(since)
    return result


def relabel_named(
    app: Celery,
    orthanc: OrthancClient,
    ledger: Ledger,
    wanted: Wanted,
    instance_ids: Sequence[str],
    result: Relabelling,
) -> None:
    """Enqueue those of these instances that are wanted, and count all of them in `result`; as `relabel` otherwise."""
    _enqueue_page(app, orthanc, ledger, wanted, orthanc.metadata_of(instance_ids), result)


def _enqueue_page(
    app: Celery,
    orthanc: OrthancClient,
    ledger: Ledger,
    wanted: Wanted,
    page: dict[str, dict[str, str]],
    result: Relabelling,
) -> None:
    # An instance that was finished since its metadata were read is enqueued in vain; the worker closes it unlabelled.
    entries = ledger.entries(page)
    chosen = []
    for instance_id, metadata in page.items():
        outcome, entry = Outcome.of(metadata), entries.get(instance_id)
        if entry is not None and not entry.failed:
            result.waiting += 1
        elif (entry is not None and wanted.failed) or (
            outcome is not None and wanted.includes(outcome, metadata.get("SopClassUid", ""))
        ):
            if outcome is not None and outcome.status == SKIPPED:
                # It would count as done. If this ends here, the sweep finds it as one that was never labelled.
                orthanc.delete_metadata(instance_id, PREDICTION)
            chosen.append(instance_id)
        elif outcome is not None and outcome.is_by(wanted.version):
            result.current += 1
        else:
            result.other += 1
    if chosen:
        enqueue(app, ledger, chosen, BACKFILL)
    result.enqueued += len(chosen)
