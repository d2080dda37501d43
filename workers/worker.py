"""Running a Celery worker for some of the queues, in this process."""

import logging
import os
import select
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from celery.platforms import EX_FAILURE
from celery.signals import beat_embedded_init, celeryd_init, worker_ready, worker_shutting_down
from celery.worker import state as worker_state

from mskmodel.data.patient_key import SiteSecret
from workers.broker.celery_app import make_app
from workers.broker.queues import INSTANCE_QUEUES, TRAIN
from workers.settings import Settings
from workers.supervision.end_with_parent import end_with_parent
from workers.surroundings import Finding
from workers.surroundings.machine import disk, shared_memory
from workers.surroundings.start import surroundings

__all__ = ["MixedQueues", "ModelUnavailable", "WorkerGaveUp", "run_worker"]

log = logging.getLogger(__name__)


#: By the variable of the C library (mallopt(3)): free memory that a child keeps, and up to which size of a block.
MEMORY_KEPT = {"MALLOC_TRIM_THRESHOLD_": 128 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}


class ModelUnavailable(Exception):
    """The model that the worker should serve cannot be loaded, or the device does not exist."""


class WorkerGaveUp(Exception):
    """The worker ended although nobody had asked it to; its log says why."""


class MixedQueues(ValueError):
    """One worker cannot take all of these queues."""


def run_worker(queues: tuple[str, ...], concurrency: int, *, beat: bool, name: str, loglevel: str) -> None:
    """Take tasks until told to stop; after SIGTERM, running tasks are finished first.

    Args:
        queues: names of queues, the most urgent first.
        concurrency: child processes, each with one decoder and one model; the scheduler's worker has none.
        beat: schedule the sweep in this process too.

    Raises:
        MixedQueues: the train queue is combined with others, but needs another kind of worker pool.
        ModelUnavailable: the worker would start, but could not label.
        UnfitSurroundings: machine, broker or Orthanc make its work impossible.
        WorkerGaveUp: it has ended although nobody asked it to.
    """
    if TRAIN in queues and set(queues) != {TRAIN}:
        raise MixedQueues(f"a train worker takes no other queue: start one for {TRAIN} and another for the rest")
    settings = Settings.from_environment()
    app = make_app(settings, queues)
    arguments = ["worker", f"--hostname={name}@%h", f"--queues={','.join(queues)}", f"--loglevel={loglevel}"]
    if set(queues) == {TRAIN}:
        # Each job runs in a process of its own, which a thread watches.
        arguments += ["--pool=threads", "--concurrency=1"]
        if settings.models:
            SiteSecret.of(settings.models)  # created here: the gateway needs it too, but may not write
    elif beat:
        # Only the sweep is scheduled, and it also runs at every start: the scheduler keeps no state.
        arguments += ["--beat", "--scheduler=celery.beat.Scheduler", "--pool=solo"]
    else:
        # The children share the cores; otherwise each of them would start one thread per core.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // concurrency)))
        # Files of 10 MB come and go: giving their memory back to the kernel each time costs a child 7 ms an instance.
        for name, bytes_kept in MEMORY_KEPT.items():
            os.environ.setdefault(name, str(bytes_kept))
        arguments += [f"--concurrency={concurrency}"]
    with surroundings(settings, _machine(settings, queues), _stop):
        if set(queues) & set(INSTANCE_QUEUES):
            _try_model(settings)
        _run(app, arguments)


def _machine(settings: Settings, queues: tuple[str, ...]) -> Iterator[Finding]:
    """What these queues need of the machine."""
    if set(queues) & {*INSTANCE_QUEUES, TRAIN}:
        yield shared_memory(needed=TRAIN not in queues)
    if TRAIN in queues and settings.models:
        yield disk("Registry", settings.models, "make room; jobs wait for it", needed=False)


def _stop() -> None:
    """End the worker when it has finished what it holds, with a status that tells of a failure."""
    worker_state.should_stop = EX_FAILURE


def _run(app: Any, arguments: list[str]) -> None:
    """Run Celery's worker to its end. Its command drops the exit status, which the worker itself still has."""
    workers: list[Any] = []
    signals: list[str] = []
    this = os.getpid()

    def remember_worker(instance: Any, **_: Any) -> None:
        workers.append(instance)

    def remember_signal(sig: str, **_: Any) -> None:
        signals.append(sig)

    def end_scheduler_too(**_: Any) -> None:
        end_with_parent(this)

    beat_embedded_init.connect(end_scheduler_too)
    worker_ready.connect(_watch_scheduler)
    celeryd_init.connect(remember_worker)
    worker_shutting_down.connect(remember_signal)
    app.worker_main(arguments)
    # Whoever asks by Celery's remote control leaves a text in place of a number.
    if not signals and workers[0].exitcode in (None, 1):
        raise WorkerGaveUp("the worker gave up; its log says why")


def _watch_scheduler(sender: Any, **_: Any) -> None:
    """Let the worker give up once its scheduler's process has died: it would take tasks, and nobody would sweep."""
    worker_ready.disconnect(_watch_scheduler)  # it is sent again after each connection
    scheduler = sender.controller.beat
    if scheduler is None:
        return
    descriptor = os.pidfd_open(scheduler.pid)

    def wait() -> None:
        select.select([descriptor], [], [])
        os.close(descriptor)
        if worker_state.should_stop is None:
            log.critical("scheduler-died")
            worker_state.should_stop = 1

    threading.Thread(target=wait, name="scheduler-watch", daemon=True).start()


def _try_model(settings: Settings) -> None:
    """Load the model once, in a process of its own, so that this one stays small and without torch."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        reason = pool.submit(_why_no_model, settings).result()
    if reason is not None:
        raise ModelUnavailable(reason)


def _why_no_model(settings: Settings) -> str | None:
    from mskmodel.registry import Registry, RegistryError
    from workers.labelling.serving import Serving

    try:
        Serving(Registry(settings.models), settings.device)
    except (RegistryError, ValueError) as error:
        return str(error)
    return None
