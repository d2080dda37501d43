"""The audit: what became of every instance that Orthanc holds.

It reads Orthanc's own list of instances, not ours, so that no instance is missed.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workers.ledger import Ledger
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED, Outcome
from workers.pacs import OrthancClient

__all__ = ["Audit", "audit"]

QUEUED = "queued"
UNACCOUNTED = "unaccounted"
STATUSES = (LABELLED, NEEDS_REVIEW, SKIPPED, FAILED, QUEUED, UNACCOUNTED)

#: Instances read at a time.
PAGE = 1000
#: Seconds that an instance stored during the audit has to reach the ledger.
GRACE_SECONDS = 5.0


@dataclass
class Audit:
    """Counts of instances by status, with the reasons why some are not labelled."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    """By status, the reasons and how often each was given; of those queued, why the last attempt did not label them."""
    failed: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)

    def add(self, status: str, reason: str | None = None) -> None:
        """Count one instance."""
        self.counts[status] += 1
        if reason:
            self.reasons.setdefault(status, Counter())[reason] += 1

    def as_dict(self) -> dict[str, object]:
        """The audit as JSON shows it."""
        lists = {"failed_ids": self.failed, "unaccounted_ids": self.unaccounted}
        return {**self.counts, "reasons": self.reasons, **lists}


def audit(orthanc: OrthancClient, ledger: Ledger, progress: Callable[[int], None] = lambda _: None) -> Audit:
    """Classify every instance in Orthanc as exactly one of `STATUSES`."""
    result = Audit()
    suspects: list[str] = []
    since = 0
    while page := orthanc.metadata_page(since, PAGE):
        suspects += _classify(page, ledger, result)
        since += len(page)
        progress(since)
    # An instance may be on its way to the ledger, or have left it after its metadata was read.
    deadline = time.monotonic() + GRACE_SECONDS
    while suspects and time.monotonic() < deadline:
        time.sleep(0.2)
        suspects = _classify(orthanc.metadata_of(suspects), ledger, result)
    result.unaccounted = suspects
    result.counts[UNACCOUNTED] = len(suspects)
    return result


def _classify(page: Mapping[str, Mapping[str, str]], ledger: Ledger, result: Audit) -> list[str]:
    """Count a page of instances, given with their metadata; returns those in neither ledger nor metadata."""
    entries = ledger.entries(page)
    nowhere = []
    for instance_id, metadata in page.items():
        if (entry := entries.get(instance_id)) is not None:
            result.add(FAILED if entry.failed else QUEUED, entry.reason)
            if entry.failed:
                result.failed.append(instance_id)
        elif (outcome := Outcome.of(metadata)) is None:
            nowhere.append(instance_id)
        else:
            result.add(outcome.status, outcome.reason)
            if outcome.status == FAILED:
                result.failed.append(instance_id)
    return nowhere
