"""Training jobs submitted and cancelled by people, on pages and over the API alike: each deed is on the audit log."""

from dataclasses import dataclass

from celery import Celery
from fastapi import HTTPException
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from mskmodel.registry import Registry
from workers.access.awaited_records import AwaitedRecords
from workers.jobs.request import JobRequest
from workers.jobs.store import CANCELLED, CANCELLING, Job, JobStore
from workers.jobs.submission import check, queue
from workers.pacs import OrthancClient
from workers.pages.audited import audited
from workers.pages.refusals import answering
from workers.records.audit_log import note

__all__ = ["JobDeeds"]


@dataclass(frozen=True)
class JobDeeds:
    """``records``: where the site has none, jobs go on without an audit log."""

    records: AwaitedRecords
    app: Celery
    store: JobStore
    orthanc: OrthancClient
    registry: Registry

    async def submit(self, request: JobRequest, author: str, by: str) -> str:
        """Check and queue a job; its identifier. HTTPException: 422 if it cannot be done, 503 if something is away."""
        author = await run_in_threadpool(answering, lambda: check(self.orthanc, self.registry, request, author))

        def queued() -> str:
            return answering(lambda: queue(self.app, self.store, request, author))

        def noted(connection: Connection) -> str:
            job_id = queued()  # if it cannot be, nothing is noted
            note(connection, by, "job submitted", job_id, {"base": request.base, "epochs": request.epochs})
            return job_id

        return await (self.records.write(noted) if self.records.are_there else run_in_threadpool(queued))

    async def cancel(self, job_id: str, by: str) -> None:
        """Cancel a job. HTTPException: 404 if there is none, 409 if it is too late."""

        def cancel() -> None:
            if self.found(job_id).state == CANCELLED:
                raise HTTPException(409, f"job {job_id} was cancelled already")
            state = self.store.cancel(job_id, by)
            if state not in (CANCELLED, CANCELLING):
                raise HTTPException(409, f"it is too late to cancel: job {job_id} is {state}")

        await run_in_threadpool(answering, lambda: self.found(job_id))
        if self.records.are_there:
            await audited(self.records, by, "job cancelled", job_id, cancel)
        else:
            await run_in_threadpool(answering, cancel)

    def found(self, job_id: str) -> Job:
        """The job of that identifier. HTTPException 404: there is none."""
        job = self.store.find(job_id)
        if job is None:
            raise HTTPException(404, "there is no such job")
        return job
