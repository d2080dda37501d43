"""Relabelling of the archive as the page of models has it done: one pass at a time, in a thread, with its progress."""

import asyncio
import logging
from dataclasses import dataclass

from celery import Celery
from starlette.concurrency import run_in_threadpool

from workers.ledger import Ledger
from workers.pacs import OrthancClient
from workers.reconciliation.relabelling import Relabelling, Wanted, relabel
from workers.sentences import sentence_of

__all__ = ["ArchivePass", "Progress"]

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Of the last pass that this gateway was asked for."""

    version: str
    by: str
    total: int
    """Instances in Orthanc when it began."""
    looked_at: int = 0
    result: Relabelling | None = None
    """None until it has ended well."""
    problem: str = ""


class ArchivePass:
    """Looks through Orthanc for what another version labelled, and enqueues it; workers do the rest.

    A pass ends with the gateway. It can be asked for again at any time: what is done or waits is left out.
    """

    def __init__(self, app: Celery, orthanc: OrthancClient, ledger: Ledger) -> None:
        self._app, self._orthanc, self._ledger = app, orthanc, ledger
        self._running: asyncio.Task[None] | None = None
        self.progress: Progress | None = None

    @property
    def is_running(self) -> bool:
        """Whether a pass is under way."""
        return self._running is not None and not self._running.done()

    def begin(self, version: str, by: str) -> None:
        """Begin a pass for this version, unless one is under way."""
        if not self.is_running:
            self.progress = Progress(version, by, 0)
            self._running = asyncio.create_task(run_in_threadpool(self._run, self.progress))

    def _run(self, progress: Progress) -> None:
        def show(count: int) -> None:
            progress.looked_at = min(count, progress.total)

        try:
            progress.total = self._orthanc.statistics().instances
            wanted = Wanted(progress.version, older=True, failed=False)
            progress.result = relabel(self._app, self._orthanc, self._ledger, wanted, show)
        except Exception as error:
            progress.problem = (
                sentence_of(error) or f"it ended with {type(error).__name__}: the gateway's log says more"
            )
            log.warning("relabelling-ended reason=%s", progress.problem, exc_info=sentence_of(error) is None)
