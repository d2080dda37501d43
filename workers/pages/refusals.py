"""Errors of the functions that the routes call, as HTTP statuses."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import HTTPException

from mskmodel.registry import AnotherServes, RegistryError
from workers.jobs.request import InvalidRequest
from workers.metadata.truth import BadTruth, NoTruth, TruthConflict, UnknownInstance
from workers.pacs import OrthancError
from workers.sentences import sentence_of

__all__ = ["answering"]

T = TypeVar("T")


def answering(run: Callable[[], T]) -> T:
    """What `run` returns; errors of the client or of another server become HTTPExceptions."""
    try:
        return run()
    except (InvalidRequest, BadTruth) as error:
        raise HTTPException(422, str(error)) from None
    except (UnknownInstance, NoTruth) as error:
        raise HTTPException(404, str(error)) from None
    except (TruthConflict, AnotherServes) as error:
        raise HTTPException(409, str(error)) from None
    except OrthancError as error:
        raise HTTPException(503, f"Orthanc failed: {error}", {"Retry-After": "2"}) from None
    except RegistryError as error:
        raise HTTPException(503, f"the model registry cannot be used: {error}") from None
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise HTTPException(503, sentence, {"Retry-After": "2"}) from None
