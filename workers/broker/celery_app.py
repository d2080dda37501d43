"""The Celery application: queues, and the settings that keep messages from getting lost.

What each setting guards against was measured. Even so, a message is only a hint: the ledger and the
sweep make the system complete.
"""

from typing import Any

from celery import Celery
from celery.schedules import schedule
from kombu import Queue

from workers.broker.database import sentinel_options
from workers.broker.queues import BACKFILL, LABEL, MAINTENANCE, REPORT_TASK, SWEEP_TASK, TRAIN
from workers.broker_url import BrokerUrl
from workers.settings import Settings

__all__ = ["make_app", "publisher"]

#: Seconds after which an unacknowledged message is delivered again: longer than any label task.
VISIBILITY_SECONDS = 300
#: The same for training. Its unacknowledged messages have keys of their own: a worker with a shorter
#: timeout on the same keys would redeliver the message of a running training job.
TRAIN_VISIBILITY_SECONDS = 24 * 3600

SOFT_LIMIT_SECONDS = 120
HARD_LIMIT_SECONDS = 150


def _transport_options(settings: Settings, queues: tuple[str, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {
        # Timeouts and control commands concern whatever shares these keys and channels: so nobody else's do.
        "global_keyprefix": settings.key_prefix,
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "priority",  # label before label.backfill
        "socket_connect_timeout": 5,
        "socket_timeout": 30,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
    if TRAIN in queues:
        options |= {
            "visibility_timeout": TRAIN_VISIBILITY_SECONDS,
            "unacked_key": "unacked.train",
            "unacked_index_key": "unacked_index.train",
            "unacked_mutex_key": "unacked_mutex.train",
        }
    broker = BrokerUrl.of(settings.broker_url)
    if broker.master:
        options |= {"master_name": broker.master, "sentinel_kwargs": sentinel_options(broker, settings.trust)}
    return options


def make_app(settings: Settings, queues: tuple[str, ...] = ()) -> Celery:
    """The application for a worker of these queues; without queues, for a process that only publishes."""
    broker = BrokerUrl.of(settings.broker_url)
    app = Celery("msk", broker=broker.for_kombu(), include=["workers.tasks"] if queues else [])
    app.conf.update(
        task_queues=[Queue(name) for name in (LABEL, BACKFILL, TRAIN, MAINTENANCE)],
        task_default_queue=LABEL,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_timeout=False,
        task_soft_time_limit=SOFT_LIMIT_SECONDS,
        task_time_limit=HARD_LIMIT_SECONDS,
        worker_prefetch_multiplier=1,
        worker_pool="prefork",
        worker_pool_start_method="spawn",  # a forked child cannot use CUDA
        worker_proc_alive_timeout=120,  # a child is up when its model is loaded
        worker_max_memory_per_child=3_000_000,  # KiB
        worker_soft_shutdown_timeout=20,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(settings, queues),
        broker_use_ssl=broker.tls_options(settings.trust),  # without it, kombu takes anybody's certificate
        beat_schedule=_schedule(settings),
        beat_max_loop_interval=5,
    )
    return app


def _schedule(settings: Settings) -> dict[str, Any]:
    """What is done again and again: the sweep and, where the site wants them, reports."""
    tasks = {"sweep": SWEEP_TASK} | ({"reports": REPORT_TASK} if settings.results else {})
    # What was missed while the worker was down need not be made up for.
    options = {"queue": MAINTENANCE, "expires": settings.sweep_seconds}
    every = schedule(settings.sweep_seconds)
    return {name: {"task": task, "schedule": every, "options": options} for name, task in tasks.items()}


def publisher(settings: Settings) -> Celery:
    """An application that only sends, and gives up on a dead broker within seconds."""
    app = make_app(settings)
    app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}
    app.conf.broker_transport_options = {**_transport_options(settings, ()), "socket_timeout": 5}
    return app
