"""Running a Celery worker for some of the queues, in this process."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from mskmodel.data.patient_key import SiteSecret
from workers.broker.celery_app import make_app
from workers.broker.queues import INSTANCE_QUEUES, TRAIN
from workers.settings import Settings

__all__ = ["MixedQueues", "ModelUnavailable", "run_worker"]


class ModelUnavailable(Exception):
    """The model that the worker is to serve cannot be loaded, or its device is not there."""


class MixedQueues(ValueError):
    """One worker cannot take all of these queues."""


def run_worker(queues: tuple[str, ...], concurrency: int, *, beat: bool, name: str, loglevel: str) -> None:
    """Take tasks until told to stop; SIGTERM lets what runs come to its end.

    Args:
        queues: names of queues, the first goes first.
        concurrency: child processes, of one decoder and one model each; the scheduler's worker has none.
        beat: schedule the sweep in this process too.

    Raises:
        MixedQueues: jobs are watched over in another way than chunks of instances are labelled.
        ModelUnavailable: better no worker than one that is up and cannot work.
    """
    if TRAIN in queues and set(queues) != {TRAIN}:
        raise MixedQueues(f"a train worker takes no other queue: start one for {TRAIN} and another for the rest")
    settings = Settings.from_environment()
    app = make_app(settings, queues)
    arguments = ["worker", f"--hostname={name}@%h", f"--queues={','.join(queues)}", f"--loglevel={loglevel}"]
    if set(queues) == {TRAIN}:
        # Each job is a process of its own, which a thread watches over.
        arguments += ["--pool=threads", "--concurrency=1"]
        if settings.models:
            SiteSecret.of(settings.models)  # here, as the gateway needs it and may not write
    elif beat:
        # Nothing but the sweep is scheduled, and it runs at every start: there is no state to keep.
        arguments += ["--beat", "--scheduler=celery.beat.Scheduler", "--pool=solo"]
    else:
        # The children share the cores; each would otherwise start a thread for every one of them.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // concurrency)))
        arguments += [f"--concurrency={concurrency}"]
    if set(queues) & set(INSTANCE_QUEUES):
        _try_model(settings)
    app.worker_main(arguments)


def _try_model(settings: Settings) -> None:
    """Load the model once, in a process of its own: this one needs no torch, and keeps its memory small."""
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
