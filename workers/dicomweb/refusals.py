"""What Orthanc or the records fail with, as HTTP statuses: with a sentence, and nothing of Orthanc's own words."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from workers.pacs import NoPlugin, OrthancError, OrthancNotFound, OrthancUnavailable, OrthancUnregistered
from workers.records.schema import RecordsError
from workers.sentences import sentence_of

__all__ = ["refusing"]

#: Statuses of Orthanc that tell a client what is wrong with its request.
OF_REQUESTS = {
    400: "Orthanc's DICOMweb plugin does not understand this request",
    406: "Orthanc's DICOMweb plugin makes no such content type",
    415: "Orthanc's DICOMweb plugin makes no such content type",
    416: "the answer has no such range",
}
SOON = {"Retry-After": "2"}

T = TypeVar("T")


def refusing(run: Callable[[], T]) -> T:
    """What `run` returns; errors of Orthanc and of the records become HTTPExceptions."""
    try:
        return run()
    except OrthancError as error:
        raise _of_orthanc(error) from None
    except (SQLAlchemyError, RecordsError, OSError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise HTTPException(503, sentence, SOON) from None


def _of_orthanc(error: OrthancError) -> HTTPException:
    if isinstance(error, NoPlugin):
        return HTTPException(501, str(error))
    if isinstance(error, OrthancUnregistered):
        return HTTPException(404, "Orthanc holds no such study, series or instance: it may have been deleted")
    if isinstance(error, OrthancNotFound):
        return HTTPException(404, "Orthanc's DICOMweb plugin serves nothing there: a newer one may")
    if error.status in OF_REQUESTS:
        return HTTPException(error.status, OF_REQUESTS[error.status])
    if isinstance(error, OrthancUnavailable) and error.status in (None, 503):
        return HTTPException(503, f"Orthanc does not answer: {error.what}", SOON)
    return HTTPException(502, f"Orthanc failed: {error.what}")
