"""The Celery tasks: thin shells whose retry policy shows in the decorator."""

from functools import cache
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import worker_process_init, worker_ready
from celery.worker import state as worker_state
from redis import RedisError

from workers.broker.celery_app import publisher
from workers.broker.messages import CHUNK
from workers.broker.queues import BACKFILL, LABEL, LABEL_TASK, MAINTENANCE, SWEEP_TASK, TRAIN_TASK
from workers.jobs.store import JobStore
from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancError
from workers.settings import Settings

__all__ = ["label", "serving", "sweep", "train"]

#: Seconds.
FOREVER = 365 * 24 * 3600


@cache
def orthanc() -> OrthancClient:
    """The one Orthanc client of this process."""
    settings = Settings.from_environment()
    return OrthancClient(settings.orthanc_url, settings.orthanc_user, settings.orthanc_password)


@cache
def ledger() -> Ledger:
    """The one ledger of this process."""
    return Ledger(Settings.from_environment().broker_url)


@cache
def jobs() -> JobStore:
    """The one store of training jobs of this process."""
    return JobStore(Settings.from_environment().broker_url)


@cache
def serving() -> Any:
    """The one model of this process, which follows promotions."""
    # Here and not above: the sweep's worker and the publishers need no torch.
    from mskmodel.registry import Registry
    from workers.labelling.serving import Serving

    settings = Settings.from_environment()
    return Serving(Registry(settings.models), settings.device)


@shared_task(
    name=LABEL_TASK,
    bind=True,
    # The instances stay in the ledger, so that giving up here only leaves them to the sweep.
    autoretry_for=(OrthancError, RedisError, SoftTimeLimitExceeded),
    retry_backoff=2,
    retry_backoff_max=30,
    retry_jitter=True,
    max_retries=4,
)
def label(self: Any, instance_ids: list[str], queue: str) -> None:
    """Label these instances, topped up to a chunk from what else waits in the queue."""
    from workers.labelling.labeller import Labeller

    # What this run holds is labelled by one version, though another one is promoted meanwhile.
    labeller = Labeller(orthanc(), ledger(), serving().classifier())
    labeller.label(self.request.id, instance_ids, queue, CHUNK)


@shared_task(name=SWEEP_TASK, ignore_result=True)
def sweep() -> None:
    """Enqueue what the webhook missed, and what lost its message."""
    from workers.reconciliation.sweep import revive_jobs, run

    app = publisher(Settings.from_environment())
    revive_jobs(app, ledger(), jobs())
    run(app, orthanc(), ledger())


# A job takes as long as it takes.
@shared_task(name=TRAIN_TASK, soft_time_limit=FOREVER, time_limit=FOREVER)
def train() -> None:
    """Do the oldest training job that waits, if there is one; stops, and leaves it, when the worker is to stop."""
    from workers.jobs.watch import do_next

    do_next(jobs(), Settings.from_environment().models, lambda: worker_state.should_stop is not None)


@worker_process_init.connect
def load_model(**_: Any) -> None:
    """A child of a label worker counts as up only once it holds its model."""
    if {LABEL, BACKFILL} & set(current_app.amqp.queues.consume_from):
        serving()


@worker_ready.connect
def sweep_at_start(sender: Any, **_: Any) -> None:
    """What came while everything was down is looked for at once."""
    if MAINTENANCE in sender.app.amqp.queues.consume_from:
        sweep.apply_async(queue=MAINTENANCE)
