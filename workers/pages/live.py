"""What tells a page that something has changed, as server-sent events at `/live`, so that it fetches itself again.

One task looks, for all who listen, and only while somebody listens. It tells that there is something new, not what.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, HTTPException
from redis import RedisError
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from workers.access.awaited_records import AwaitedRecords
from workers.access.role import Role, needs
from workers.jobs.store import JobStore
from workers.ledger import Ledger
from workers.records.position import read_position

__all__ = ["Signs", "live_routes"]

#: Seconds between two looks at the index, and how many of these there are for each look at the broker.
LOOK_SECONDS, LOOKS_AT_BROKER = 0.2, 5
#: Seconds after which what a page says of the age of things is old itself.
AGES_SECONDS = 5
#: Seconds after which a stream ends, and the browser asks again: whoever may listen no longer is then refused.
STREAM_SECONDS = 300
#: Seconds between two signs that a stream is alive, by which a browser that is gone is noticed.
ALIVE_SECONDS = 15
#: Most who listen at a time; others see what is new when they load the page again.
MOST_LISTENERS = 200


@dataclass(eq=False)
class _Listener:
    """What one of them is yet to be told."""

    news: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, names: set[str]) -> None:
        self.news |= names
        self.woken.set()


class Signs:
    """Signs of the index, the jobs and the queues, each of which is another one as soon as something has changed."""

    def __init__(self, records: AwaitedRecords, jobs: JobStore, ledger: Ledger, is_ending: Callable[[], bool]) -> None:
        self._records, self._jobs, self._ledger, self._is_ending = records, jobs, ledger, is_ending
        self._listeners: set[_Listener] = set()
        self._signs: dict[str, object] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def are_too_many(self) -> bool:
        """Whether nobody else may listen."""
        return len(self._listeners) >= MOST_LISTENERS

    async def stream(self) -> AsyncIterator[bytes]:
        """Events, each the name of what has changed."""
        listener = _Listener()
        self._listeners.add(listener)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        ends = asyncio.get_running_loop().time() + STREAM_SECONDS
        try:
            yield b"retry: 1000\n\n"
            while asyncio.get_running_loop().time() < ends and not self._is_ending():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(listener.woken.wait(), ALIVE_SECONDS)
                listener.woken.clear()
                news, listener.news = listener.news, set()
                yield b"".join(b"event: %s\ndata: new\n\n" % name.encode() for name in sorted(news)) or b":\n\n"
        finally:
            self._listeners.discard(listener)

    async def _watch(self) -> None:
        """Look again and again, until nobody listens or the gateway ends."""
        looks = 0
        self._signs = {}
        while self._listeners:
            now = await self._look(at_broker=looks % LOOKS_AT_BROKER == 0)
            changed = {name for name, sign in now.items() if self._signs.get(name, sign) != sign}
            self._signs |= now
            if changed or self._is_ending():
                for each in self._listeners:
                    each.tell(changed)
            looks += 1
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, *, at_broker: bool) -> dict[str, object]:
        """What can be seen now; what is away is left out."""
        signs: dict[str, object] = {}
        with contextlib.suppress(HTTPException):
            signs["index"] = await self._records.read(_version)
        if at_broker:
            with contextlib.suppress(RedisError):
                signs["jobs"] = await run_in_threadpool(self._jobs.changes)
                ages = int(time.monotonic() / AGES_SECONDS)
                signs["queues"] = (await run_in_threadpool(self._ledger.depth), ages)
        return signs


def _version(connection: Connection) -> int:
    """Grows whenever the index changes."""
    position = read_position(connection)
    return position.version if position else 0


def live_routes(signs: Signs) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    @needs(Role.VIEWER)
    async def live() -> Response:
        """Events: `index`, `jobs`, `queues`."""
        if signs.are_too_many:
            raise HTTPException(503, f"{MOST_LISTENERS} pages listen already", {"Retry-After": "60"})
        return StreamingResponse(signs.stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    return router
