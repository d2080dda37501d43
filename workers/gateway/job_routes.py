"""Training jobs over HTTP: submit, list, show, cancel."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from workers.access.asker import asker_of
from workers.access.role import Role, needs
from workers.gateway.request_body import LONGEST_LIST, json_object, text
from workers.jobs.request import JobRequest
from workers.pages.job_deeds import JobDeeds
from workers.pages.refusals import answering

__all__ = ["job_routes"]


def job_routes(deeds: JobDeeds) -> APIRouter:
    """Routes under /jobs."""
    router = APIRouter(prefix="/jobs")

    @router.post("", status_code=201)
    @needs(Role.REVIEWER)
    async def submit_job(request: Request) -> dict[str, Any]:
        """Queue a training job. The body is a JSON object: fields of a job request, and perhaps `author`."""
        asked, asker = await json_object(request), asker_of(request)
        author = asker.author(text("author", asked.pop("author", "")))
        job_id = await deeds.submit(answering(lambda: JobRequest.of(asked)), author, author or asker.name)
        return await run_in_threadpool(show_job, job_id)

    @router.get("")
    @needs(Role.VIEWER)
    def list_jobs(count: int = 20) -> list[dict[str, Any]]:
        """The latest jobs, the newest first."""
        return [job.to_dict() for job in answering(lambda: deeds.store.latest(max(1, min(count, LONGEST_LIST))))]

    @router.get("/{job_id}")
    @needs(Role.VIEWER)
    def show_job(job_id: str) -> dict[str, Any]:
        """A job as it is now, with its log."""
        return answering(lambda: deeds.found(job_id)).to_dict()

    @router.delete("/{job_id}")
    @needs(Role.REVIEWER)
    async def cancel_job(job_id: str, request: Request) -> dict[str, Any]:
        """Cancel a job; 409 where it has ended, or can no longer be cancelled."""
        await deeds.cancel(job_id, asker_of(request).name)
        return await run_in_threadpool(show_job, job_id)

    return router
