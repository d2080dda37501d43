"""Training jobs over HTTP: submit, list, show, cancel."""

from typing import Any

from celery import Celery
from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from mskmodel.registry import Registry
from workers.access.asker import asker_of
from workers.access.role import Role, needs
from workers.gateway.refusals import answering
from workers.gateway.request_body import LONGEST_LIST, json_object, text
from workers.jobs.request import JobRequest
from workers.jobs.store import CANCELLED, CANCELLING, Job, JobStore
from workers.jobs.submission import submit
from workers.pacs import OrthancClient

__all__ = ["job_routes"]


def job_routes(celery: Celery, store: JobStore, orthanc: OrthancClient, registry: Registry) -> APIRouter:
    """Routes under /jobs."""
    router = APIRouter(prefix="/jobs")

    @router.post("", status_code=201)
    @needs(Role.REVIEWER)
    async def submit_job(request: Request) -> dict[str, Any]:
        """Queue a training job. The body is a JSON object: fields of a job request, and perhaps `author`."""
        asked = await json_object(request)
        author = asker_of(request).author(text("author", asked.pop("author", "")))

        def run() -> Job:
            return _found(store, submit(celery, store, orthanc, registry, JobRequest.of(asked), author))

        return (await run_in_threadpool(answering, run)).to_dict()

    @router.get("")
    @needs(Role.VIEWER)
    def list_jobs(count: int = 20) -> list[dict[str, Any]]:
        """The latest jobs, the newest first."""
        return [job.to_dict() for job in answering(lambda: store.latest(max(1, min(count, LONGEST_LIST))))]

    @router.get("/{job_id}")
    @needs(Role.VIEWER)
    def show_job(job_id: str) -> dict[str, Any]:
        """A job as it is now, with its log."""
        return answering(lambda: _found(store, job_id)).to_dict()

    @router.delete("/{job_id}")
    @needs(Role.REVIEWER)
    def cancel_job(job_id: str, request: Request) -> dict[str, Any]:
        """Cancel a job; 409 where it has ended, or can no longer be cancelled."""
        return answering(lambda: _cancelled(store, job_id, asker_of(request).name)).to_dict()

    return router


def _cancelled(store: JobStore, job_id: str, by: str) -> Job:
    if _found(store, job_id).state == CANCELLED:
        raise HTTPException(409, f"job {job_id} was cancelled already")
    state = store.cancel(job_id, by)
    if state not in (CANCELLED, CANCELLING):
        raise HTTPException(409, f"it is too late to cancel: job {job_id} is {state}")
    return _found(store, job_id)


def _found(store: JobStore, job_id: str) -> Job:
    job = store.find(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job")
    return job
