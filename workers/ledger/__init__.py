"""The ledger: instances that are accepted for labelling and have no outcome yet; none of them gets lost."""

from workers.ledger.enqueueing import enqueue
from workers.ledger.ledger import Claim, Entry, Ledger

__all__ = ["Claim", "Entry", "Ledger", "enqueue"]
