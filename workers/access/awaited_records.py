"""The records as the gateway's routes use them: in threads of their own, and away means 503."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from workers.access.opened_records import OpenedRecords
from workers.records.schema import RecordsError
from workers.sentences import sentence_of

__all__ = ["AwaitedRecords"]

#: Threads that wait for the database. They are not those of the other routes: a database that does not answer keeps no
#: webhook waiting.
AT_ONCE = 4

T = TypeVar("T")


class AwaitedRecords:
    """The records at that place. Both methods raise HTTPException 503 while they are away.

    ``place``: None where the site has none for the gateway.
    """

    def __init__(self, place: str | None) -> None:
        self._records = OpenedRecords(place) if place else None
        self._limiter = CapacityLimiter(AT_ONCE)

    @property
    def are_there(self) -> bool:
        """Whether the site has any."""
        return self._records is not None

    async def read(self, do: Callable[[Connection], T]) -> T:
        """What `do` returns, in a transaction that only reads."""
        records = self._named()
        return await self._run(records.reading, do)

    async def write(self, do: Callable[[Connection], T]) -> T:
        """What `do` returns, in a transaction that is on the disk then."""
        records = self._named()
        return await self._run(records.writing, do)

    def _named(self) -> OpenedRecords:
        if self._records is None:
            raise HTTPException(503, "there are no accounts: MSK_RECORDS is not set for the gateway")
        return self._records

    async def _run(
        self, transaction: Callable[[], AbstractContextManager[Connection]], do: Callable[[Connection], T]
    ) -> T:
        def run() -> T:
            with transaction() as connection:
                return do(connection)

        try:
            return await to_thread.run_sync(run, limiter=self._limiter)
        except (SQLAlchemyError, RecordsError, OSError) as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise HTTPException(503, sentence, {"Retry-After": "2"}) from None
