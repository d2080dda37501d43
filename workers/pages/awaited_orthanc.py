"""Orthanc as pages use it: in threads of their own, and away means 503."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from mskmodel.registry import RegistryError
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound
from workers.sentences import sentence_of

__all__ = ["AwaitedOrthanc"]

#: Threads that wait for Orthanc. They are not those of the other routes: pages keep no webhook waiting.
AT_ONCE = 4

T = TypeVar("T")


class AwaitedOrthanc:
    """Runs functions that ask Orthanc, read the model registry, or write to the journal of truths.

    HTTPException: 404 where Orthanc does not hold what is asked for, 503 where one of them does not answer.
    """

    def __init__(self, orthanc: OrthancClient) -> None:
        self._orthanc, self._limiter = orthanc, CapacityLimiter(AT_ONCE)

    async def read(self, do: Callable[[OrthancClient], T]) -> T:
        """What `do` returns."""
        try:
            return await to_thread.run_sync(do, self._orthanc, limiter=self._limiter)
        except OrthancNotFound:
            raise HTTPException(404, "Orthanc holds no such thing: it may have been deleted") from None
        except OrthancError as error:
            raise HTTPException(503, f"Orthanc failed: {error}", {"Retry-After": "2"}) from None
        except RegistryError as error:
            raise HTTPException(503, f"the model registry cannot be used: {error}") from None
        except (SQLAlchemyError, OSError) as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise HTTPException(503, sentence, {"Retry-After": "2"}) from None
