"""Enqueueing: an instance goes into the ledger first, then a message says that it is there."""

from collections.abc import Sequence

from celery import Celery

from workers.broker.celery_app import LABEL_TASK, TRAIN, TRAIN_TASK
from workers.ledger.ledger import Ledger

__all__ = ["CHUNK", "enqueue", "hint", "hint_jobs"]

#: How many instances one run of the label task takes at most.
CHUNK = 16


def enqueue(app: Celery, ledger: Ledger, instance_ids: Sequence[str], queue: str) -> None:
    """Accept instances for labelling. When this returns they are durable, however it ends after.

    Raises:
        redis.RedisError, kombu.exceptions.OperationalError: the broker is away.
    """
    ledger.open(instance_ids, queue)
    hint(app, instance_ids, queue)


def hint(app: Celery, instance_ids: Sequence[str], queue: str) -> None:
    """Send the messages that make a worker look at instances which are in the ledger already."""
    for start in range(0, len(instance_ids), CHUNK):
        app.send_task(LABEL_TASK, args=[list(instance_ids[start : start + CHUNK]), queue], queue=queue)


def hint_jobs(app: Celery, count: int) -> None:
    """Send messages that make a worker look for training jobs that wait, one each."""
    for _ in range(count):
        app.send_task(TRAIN_TASK, queue=TRAIN)
