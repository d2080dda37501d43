"""Messages to workers. Each only hints that there is work; the work itself is recorded in the ledger or in a job."""

from collections.abc import Sequence

from celery import Celery

from workers.broker.queues import BACKFILL, LABEL_TASK, SETTLE_TASK, TRAIN, TRAIN_TASK

__all__ = ["CHUNK", "hint", "hint_jobs", "hint_studies"]

#: Most instances that one run of the label task takes.
CHUNK = 16


def hint(app: Celery, instance_ids: Sequence[str], queue: str, *, countdown: float = 0) -> None:
    """Send messages that make workers look at these instances, which are in the ledger already.

    Args:
        countdown: seconds until a worker acts on them.
    """
    for start in range(0, len(instance_ids), CHUNK):
        chunk = list(instance_ids[start : start + CHUNK])
        app.send_task(LABEL_TASK, args=[chunk, queue], queue=queue, countdown=countdown or None)


def hint_jobs(app: Celery, count: int) -> None:
    """Send `count` messages, each of which makes a worker look for one queued training job."""
    for _ in range(count):
        app.send_task(TRAIN_TASK, queue=TRAIN)


def hint_studies(app: Celery, count: int, seconds: float) -> None:
    """Send `count` messages, each of which makes a label worker look at studies that have settled.

    Args:
        seconds: until a message that no worker took has no effect; more will come.
    """
    for _ in range(count):
        app.send_task(SETTLE_TASK, queue=BACKFILL, expires=seconds)
