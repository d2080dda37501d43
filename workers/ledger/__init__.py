"""The ledger: what is accepted for labelling and has no outcome yet; nothing is lost that stands in it."""

from workers.ledger.enqueueing import enqueue
from workers.ledger.ledger import Claim, Ledger

__all__ = ["Claim", "Ledger", "enqueue"]
