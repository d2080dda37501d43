"""Results over HTTP: the report of a study, written on request."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from workers.access.asker import asker_of
from workers.access.awaited_records import AwaitedRecords
from workers.access.role import Role, needs
from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancNotFound
from workers.pages.audited import audited
from workers.pages.refusals import answering
from workers.results.reporting import WAITING, WRITTEN, Reported, write_report
from workers.results.study import AmbiguousStudy, StudyError, UnknownStudy, find_study

__all__ = ["results_routes"]

T = TypeVar("T")

GONE = "Orthanc holds no such study: it may have been deleted"


def results_routes(orthanc: OrthancClient, ledger: Ledger, records: AwaitedRecords) -> APIRouter:
    """Routes under /studies. ``records``: where the site has none, nothing is noted."""
    router = APIRouter(prefix="/studies")

    @router.post("/{study}/report")
    @needs(Role.REVIEWER)
    async def write(study: str, request: Request) -> Any:
        """Bring the report of a study, by its Study Instance UID, to what is known by now.

        201 if one was written, 200 if it was right already or there is nothing to report, 409 while instances wait.
        """
        identifier = await run_in_threadpool(answering, lambda: refusing(lambda: find_study(orthanc, study)))

        def run() -> Reported:
            return refusing(lambda: write_report(orthanc, ledger, identifier))

        if records.are_there:
            done = await audited(records, asker_of(request).name, "report asked for", identifier, run)
        else:
            done = await run_in_threadpool(answering, run)
        if done.status == WAITING:
            raise HTTPException(409, f"{done.waiting} of its instances have no outcome yet: ask again later")
        return JSONResponse(asdict(done), 201 if done.status == WRITTEN else 200)

    return router


def refusing(run: Callable[[], T]) -> T:
    """What `run` returns; what no study can have becomes an HTTPException."""
    try:
        return run()
    except (UnknownStudy, OrthancNotFound):
        raise HTTPException(404, GONE) from None
    except AmbiguousStudy as error:
        raise HTTPException(409, str(error)) from None
    except StudyError as error:
        raise HTTPException(422, str(error)) from None
