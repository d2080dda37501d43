"""What the workers said when they were asked last. Asking takes a second, and nobody's page waits for it."""

import asyncio
import time

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError
from starlette.concurrency import run_in_threadpool

from workers.broker.living_workers import LivingWorker, living_workers

__all__ = ["AskedWorkers"]

#: Seconds in which workers answer, and for which what they said counts.
ANSWER_SECONDS, COUNT_SECONDS = 1.0, 4.0


class AskedWorkers:
    """The workers that this application reaches."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._found: list[LivingWorker] | None = None
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    def latest(self) -> list[LivingWorker] | None:
        """Those that answered last; None if none was asked yet, or the broker is away. Has them asked again if due."""
        is_asking = self._asking is not None and not self._asking.done()
        if not is_asking and time.monotonic() >= self._until:
            self._asking = asyncio.create_task(self._ask())
        return self._found

    async def _ask(self) -> None:
        try:
            self._found = await run_in_threadpool(living_workers, self._app, ANSWER_SECONDS)
        except (RedisError, OperationalError):  # what else the page shows says so
            self._found = None
        self._until = time.monotonic() + COUNT_SECONDS
