"""The balance: whether every instance that Orthanc holds is accounted for, by the index and the ledger.

The audit (`audit.py`) reads all of Orthanc for that; this one reads counts, and looks one by one only at what waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workers.ledger import Ledger
from workers.metadata.outcome import Outcome
from workers.pacs import OrthancClient
from workers.records.arrivals import Place

__all__ = ["Balance", "astray"]

#: Seconds that an instance has to reach the ledger: the webhook's way, and where that fails, a sweep.
GRACE_SECONDS = 60


@dataclass(frozen=True)
class Balance:
    """What the sentence says."""

    stored: int
    """Instances in Orthanc, by its own count."""
    statuses: Mapping[str | None, int]
    """Instances in the index by status; None: those that have no outcome in Orthanc."""
    noted: int
    """Those of the latter that failed, which Orthanc did not take as their outcome: it stands in the ledger alone."""
    oldest: float
    """Seconds since the first of those that wait was stored; 0 if none waits."""
    astray: Sequence[str]
    """Instances that are neither done nor in the ledger."""

    @property
    def indexed(self) -> int:
        """Instances in the index."""
        return sum(self.statuses.values())

    @property
    def waiting(self) -> int:
        """Instances that neither have an outcome nor failed."""
        return max(0, self.statuses.get(None, 0) - self.noted)

    @property
    def is_even(self) -> bool:
        """Whether nothing is lost, and everything that Orthanc holds is known."""
        return self.stored == self.indexed and not self.astray


def astray(ledger: Ledger, orthanc: OrthancClient, waiting: Sequence[Place]) -> list[str]:
    """Those of some instances without an outcome in the index that are nowhere: no entry, and no outcome in Orthanc.

    Raises:
        redis.RedisError, OrthancError: one of them is away.
    """
    named = [each.instance for each in waiting]
    if ledger.holds_all(named):
        return []
    held, just_now = ledger.holds(named), datetime.now(UTC) - timedelta(seconds=GRACE_SECONDS)
    suspects = [
        each.instance
        for each in waiting
        if each.instance not in held and datetime.fromisoformat(each.stored_at) < just_now
    ]
    metadata = orthanc.metadata_of(suspects)  # what was labelled, or deleted, just now, the index does not show yet
    return [each for each in suspects if each in metadata and Outcome.of(metadata[each]) is None]
