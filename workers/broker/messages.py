"""Messages to workers. Each is only a hint that there is work: what is to be done stands in the ledger or in a job."""

from collections.abc import Sequence

from celery import Celery

from workers.broker.queues import LABEL_TASK, TRAIN, TRAIN_TASK

__all__ = ["CHUNK", "hint", "hint_jobs"]

#: How many instances one run of the label task takes at most.
CHUNK = 16


def hint(app: Celery, instance_ids: Sequence[str], queue: str) -> None:
    """Send the messages that make a worker look at instances which are in the ledger already."""
    for start in range(0, len(instance_ids), CHUNK):
        app.send_task(LABEL_TASK, args=[list(instance_ids[start : start + CHUNK]), queue], queue=queue)


def hint_jobs(app: Celery, count: int) -> None:
    """Send messages that make a worker look for training jobs that wait, one each."""
    for _ in range(count):
        app.send_task(TRAIN_TASK, queue=TRAIN)
