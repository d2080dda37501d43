"""Training jobs: `/jobs`, where they are submitted, and a page for each, on which they are watched and cancelled."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from mskmodel.registry import read_manifest
from workers.access.asker import asker_of
from workers.access.forgery import form_of
from workers.access.role import Role, needs
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.store import Job
from workers.pages import jobs_view as view
from workers.pages.job_deeds import JobDeeds
from workers.pages.refusals import answering
from workers.pages.rendering import Pages, spoken
from workers.records.new_truths import new_truths, patients, truths

__all__ = ["jobs_routes"]

#: Jobs in the list.
LISTED = 20
DEFAULTS = JobRequest()


def jobs_routes(deeds: JobDeeds, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(prefix="/jobs", include_in_schema=False)

    def latest() -> list[Job]:
        return answering(lambda: deeds.store.latest(LISTED))

    def served() -> Mapping[str, Any]:
        return answering(lambda: read_manifest(deeds.registry.promoted()))

    async def shown(request: Request, form: Mapping[str, str], status: int = 200, sentence: str = "") -> Response:
        jobs, version = await run_in_threadpool(latest), await run_in_threadpool(served)
        known, kinds = version["classes"], version.get("others", ())
        last = view.learnt_last(jobs)
        since = last.submitted.isoformat(timespec="seconds") if last else ""
        said, people = await deeds.records.read(lambda records: (truths(records, since), patients(records)))
        return pages.page(
            request,
            "jobs.html.jinja",
            status,
            jobs=[view.shown(job) for job in jobs],
            last=view.shown(last) if last else None,
            learnable=view.learnable(said, known, kinds, DEFAULTS),
            known=known,
            count=sum(each.count for each in said),
            new=sum(each.new for each in said),
            people=people,
            numbers=view.NUMBERS,
            defaults=DEFAULTS,
            form=form,
            sentence=sentence,
        )

    @router.get("")
    @needs(Role.VIEWER)
    async def list_jobs(request: Request) -> Response:
        """The latest jobs, and what a next one would learn from."""
        return await shown(request, {})

    @router.post("")
    @needs(Role.ADMIN)
    async def submit(request: Request) -> Response:
        """Submit a job; the fields are those of a job request, but for `from` (`all` or `new`) and `class-KEY`."""
        form, by = await form_of(request), asker_of(request).name
        last = view.learnt_last(await run_in_threadpool(latest))
        since = last.submitted.isoformat(timespec="seconds") if last else ""

        def new(records: Connection) -> list[str]:
            return new_truths(records, since)

        try:
            named = await deeds.records.read(new) if form.get("from") == "new" else []
            job_id = await deeds.submit(view.asked(form, (await run_in_threadpool(served))["classes"], named), by, by)
        except InvalidRequest as error:
            return await shown(request, form, HTTPStatus.UNPROCESSABLE_ENTITY, spoken(error))
        except HTTPException as error:
            if error.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            return await shown(request, form, error.status_code, spoken(InvalidRequest(error.detail)))
        return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)

    @router.get("/{job_id}")
    @needs(Role.VIEWER)
    async def show(request: Request, job_id: str) -> Response:
        """One job, as it is now."""
        job = await run_in_threadpool(answering, lambda: deeds.found(job_id))
        return pages.page(request, "job.html.jinja", job=view.shown(job))

    @router.post("/{job_id}/cancel")
    @needs(Role.ADMIN)
    async def cancel(request: Request, job_id: str) -> Response:
        """Cancel the job."""
        await deeds.cancel(job_id, asker_of(request).name)
        return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)

    return router
