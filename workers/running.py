"""Running a Celery worker for some of the queues, in this process."""

import os

from workers.celery_app import make_app
from workers.settings import Settings

__all__ = ["run_worker"]


def run_worker(queues: tuple[str, ...], concurrency: int, *, beat: bool, name: str, loglevel: str) -> None:
    """Take tasks until told to stop; SIGTERM lets what runs come to its end.

    Args:
        queues: names of queues, the first goes first.
        concurrency: child processes, of one decoder and one model each; the scheduler's worker has none.
        beat: schedule the sweep in this process too.
    """
    app = make_app(Settings.from_environment(), queues)
    arguments = ["worker", f"--hostname={name}@%h", f"--queues={','.join(queues)}", f"--loglevel={loglevel}"]
    if beat:
        # Nothing but the sweep is scheduled, and it runs at every start: there is no state to keep.
        arguments += ["--beat", "--scheduler=celery.beat.Scheduler", "--pool=solo"]
    else:
        # The children share the cores; each would otherwise start a thread for every one of them.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // concurrency)))
        arguments += [f"--concurrency={concurrency}"]
    app.worker_main(arguments)
