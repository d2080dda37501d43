"""The Celery tasks: thin wrappers. Retries stand in the decorator, time limits in `broker/celery_app.py`."""

import time
from functools import cache
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import after_setup_logger, after_setup_task_logger, worker_process_init, worker_ready
from celery.worker import state as worker_state
from redis import RedisError

from workers.broker.celery_app import publisher
from workers.broker.database import client
from workers.broker.former_names import keep_taking_along
from workers.broker.messages import CHUNK, hint
from workers.broker.one_line_logs import OneLine
from workers.broker.queues import (
    BACKFILL,
    LABEL,
    LABEL_TASK,
    MAINTENANCE,
    REPORT_TASK,
    SETTLE_TASK,
    SWEEP_TASK,
    TRAIN,
    TRAIN_TASK,
)
from workers.jobs.store import JobStore
from workers.labelling.blame import ModelBroken
from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancError
from workers.settings import Settings

__all__ = ["label", "report", "serving", "settle", "sweep", "train"]

#: Seconds between two pieces of an answer of Orthanc. A task that waits for several answers in vain must stay within
#: its time limit, or what Orthanc keeps it waiting for would count as what the worker gets stuck on.
READ_TIMEOUT = 20.0
#: Timeout of the broker's answers in seconds.
BROKER_SECONDS = 10
#: Seconds for which one task writes reports: the sweep waits behind it.
REPORT_SECONDS = 10.0
#: Seconds; longer than any training job takes.
FOREVER = 365 * 24 * 3600


@cache
def orthanc() -> OrthancClient:
    """The one Orthanc client of this process."""
    return OrthancClient.of(Settings.from_environment(), read_timeout=READ_TIMEOUT)


@cache
def ledger() -> Ledger:
    """The one ledger of this process."""
    return Ledger.of(Settings.from_environment())


@cache
def jobs() -> JobStore:
    """The one store of training jobs of this process."""
    return JobStore.of(Settings.from_environment())


@cache
def serving() -> Any:
    """The one `Serving` of this process; its classifier follows promotions."""
    # Imported only here: the sweep's worker and the publishers need no torch.
    from mskmodel.registry import Registry
    from workers.labelling.serving import Serving

    settings = Settings.from_environment()
    return Serving(Registry(settings.models), settings.device)


@cache
def broker() -> Any:
    """The one client of the broker's database, beside the ledger's, of this process."""
    settings = Settings.from_environment()
    return client(settings.broker_url, settings.trust, BROKER_SECONDS)


@cache
def published() -> Any:
    """What the records' process says of headers."""
    from workers.evidence.published import Published

    return Published(broker())


def site() -> Any:
    """What is particular to this site by now."""
    from workers.evidence.secret import site_secret
    from workers.labelling.site import Site

    settings = Settings.from_environment()
    its = settings.kinds, published().latest().reliability, site_secret(broker())
    return Site(*its, pixels_alone=settings.evidence == "pixels")


@shared_task(
    name=LABEL_TASK,
    bind=True,
    # The instances stay in the ledger: after the last retry, the sweep takes care of them.
    autoretry_for=(OrthancError, ModelBroken, RedisError, SoftTimeLimitExceeded),
    retry_backoff=2,
    retry_backoff_max=30,
    retry_jitter=True,
    max_retries=4,
)
def label(self: Any, instance_ids: list[str], queue: str) -> None:
    """Label these instances, and as many others of the queue as complete a chunk."""
    from workers.labelling.labeller import Labeller

    # One version labels all that this run holds, even if another one is promoted meanwhile.
    labeller = Labeller(orthanc(), ledger(), serving().classifier(), site())
    run = labeller.label(self.request.id, instance_ids, queue, CHUNK)
    for (its_queue, seconds), later in run.later.items():
        hint(self.app, later, its_queue, countdown=seconds)


@shared_task(name=SETTLE_TASK)  # a study stays in the ledger until it has been looked at: no retries
def settle() -> None:
    """Look at studies that have settled, until new instances wait."""
    from workers.labelling.deciding import Judge
    from workers.labelling.run import RUN_SECONDS
    from workers.labelling.settling import settle as look

    model, ends = serving().classifier(), time.monotonic() + RUN_SECONDS
    judge = Judge.of(model, site())
    look(orthanc(), ledger(), model.version, judge, lambda: time.monotonic() < ends and not ledger().due(LABEL, 1))


@shared_task(name=SWEEP_TASK)
def sweep() -> None:
    """Enqueue instances that the webhook missed, and jobs that the broker forgot; send new hints for lost messages."""
    from workers.jobs.remembered import take_up_forgotten
    from workers.reconciliation.age import AgeRule
    from workers.reconciliation.sweep import look_at_studies, revive_jobs, run

    settings = Settings.from_environment()
    app = publisher(settings)
    try:
        run(app, orthanc(), ledger(), AgeRule.of(settings))
    finally:  # a registry that hangs must not keep instances from being found, nor Orthanc jobs
        if settings.models:
            take_up_forgotten(jobs(), settings.models)
        revive_jobs(app, ledger(), jobs())
        look_at_studies(app, ledger(), settings.sweep_seconds)


@shared_task(name=REPORT_TASK)  # a study stays noted until its report is right: no retries
def report() -> None:
    """Note studies that changed, and write reports of those that have been quiet since."""
    from workers.results.rule import Rule

    ends = time.monotonic() + REPORT_SECONDS
    Rule(orthanc(), ledger(), broker()).run(lambda: time.monotonic() < ends)


# A job has no time limit.
@shared_task(name=TRAIN_TASK, soft_time_limit=FOREVER, time_limit=FOREVER)
def train() -> None:
    """Run the oldest queued training job, if there is one; it goes back to the queue when the worker is stopped."""
    from workers.jobs.watch import do_next

    do_next(jobs(), Settings.from_environment().models, lambda: worker_state.should_stop is not None)


@after_setup_logger.connect
@after_setup_task_logger.connect
def log_in_one_line(logger: Any, **_: Any) -> None:
    """Log the reason of an error that has a sentence instead of its traceback."""
    for handler in logger.handlers:
        handler.addFilter(OneLine())


@worker_process_init.connect
def load_model(**_: Any) -> None:
    """Load the model before a child of a label worker counts as up."""
    if {LABEL, BACKFILL} & set(current_app.amqp.queues.consume_from):
        serving()


@worker_ready.connect
def take_along_at_start(sender: Any, **_: Any) -> None:
    """Take along what waits under the names that the queues had in an earlier version."""
    keep_taking_along(Settings.from_environment(), tuple(sender.app.amqp.queues.consume_from))


@worker_ready.connect
def sweep_at_start(sender: Any, **_: Any) -> None:
    """Look at once for what Orthanc stored while everything was down, and for jobs that the broker has forgotten.

    Reports, too, begin at once: the rule is for what comes after its first run.
    """
    if MAINTENANCE in sender.app.amqp.queues.consume_from:
        sweep.apply_async(queue=MAINTENANCE)
        if Settings.from_environment().results:
            report.apply_async(queue=MAINTENANCE)
    if TRAIN in sender.app.amqp.queues.consume_from:
        train.apply_async(queue=TRAIN)
