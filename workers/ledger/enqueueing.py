"""Enqueueing: an instance is recorded in the ledger first, then a message hints at it."""

from collections.abc import Sequence

from celery import Celery

from workers.broker.messages import hint
from workers.ledger.ledger import Ledger

__all__ = ["enqueue"]


def enqueue(app: Celery, ledger: Ledger, instance_ids: Sequence[str], queue: str) -> None:
    """Accept instances for labelling. When this returns, they are durable.

    Raises:
        redis.RedisError, kombu.exceptions.OperationalError: the broker does not answer.
    """
    ledger.open(instance_ids, queue)
    hint(app, instance_ids, queue)
