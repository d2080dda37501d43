"""An answer as it goes out: piece by piece, as fast as its client takes it, and no part passes for the whole."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Send

from workers.dicomweb.refusals import refusing

__all__ = ["Answer", "Begun", "Bounds"]

#: Answers at once, each of which keeps one of Orthanc's 50 threads; others wait. They have threads of their own, since
#: those that wait for Orthanc here must not keep the gateway's other routes waiting.
AT_ONCE = 24
#: Seconds in which a client takes the next piece; one that does not is left, since it keeps Orthanc waiting.
PATIENCE = 60

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Begun:
    """An answer of which the pieces are still to come. ``close``: called at the end, however that comes."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    close: Callable[[], None]


class Bounds:
    """How much goes on at once."""

    def __init__(self) -> None:
        self.answers, self.threads = CapacityLimiter(AT_ONCE), CapacityLimiter(AT_ONCE)


class Answer(StreamingResponse):
    """What `begin` begins, in a thread. HTTPException where it cannot, or not even its first piece comes.

    Where a later piece fails, or the client is too slow, the connection ends before the answer does, so that the client
    sees that it is not whole.
    """

    def __init__(self, begin: Callable[[], Begun], bounds: Bounds, *, head_only: bool) -> None:
        super().__init__(iter(()))
        self._begin, self._bounds, self._head_only = begin, bounds, head_only

    async def stream_response(self, send: Send) -> None:
        """Called by starlette, which cancels it when the client hangs up."""
        async with self._bounds.answers:
            begun = await self._in_thread(self._begin)
            try:
                await self._send(begun, send)
            finally:
                begun.close()

    async def _send(self, begun: Begun, send: Send) -> None:
        piece = b"" if self._head_only else await self._in_thread(lambda: next(begun.pieces, b""))
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in begun.headers.items()]
        await send({"type": "http.response.start", "status": begun.status, "headers": headers})
        while piece:
            with move_on_after(PATIENCE) as waiting:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if waiting.cancelled_caught:
                log.warning("dicomweb-client-too-slow")
                return
            try:
                piece = await self._in_thread(lambda: next(begun.pieces, b""))
            except HTTPException as error:
                log.warning("dicomweb-answer-cut-off reason=%s", error.detail)
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _in_thread(self, do: Callable[[], T]) -> T:
        return await to_thread.run_sync(refusing, do, limiter=self._bounds.threads)
