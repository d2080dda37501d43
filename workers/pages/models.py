"""Model versions: `/models`, a page for each, two side by side; promotion, rollback, relabelling of the archive."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response

from mskmodel.judging.gate import Verdict
from mskmodel.registry import Registry, RegistryError, read_manifest
from mskmodel.registry.standing import VersionFacts, all_versions
from mskmodel.versions.comparison import Comparison, ComparisonError, compare_kept
from mskmodel.versions.kept_pictures import kept_picture
from workers.access.asker import asker_of
from workers.access.awaited_records import AwaitedRecords
from workers.access.forgery import form_of
from workers.access.role import Role, needs
from workers.jobs.promotion import objection, try_apart
from workers.jobs.store import JobStore
from workers.pages import models_view as view
from workers.pages.audited import audited
from workers.pages.refusals import answering
from workers.pages.relabelling import ArchivePass
from workers.pages.rendering import Pages
from workers.records.tallies import by_model

__all__ = ["ModelsRoom", "models_routes"]

#: A report has styles and pictures of its own, and no script; it can reach nothing and nobody, not even us.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)


@dataclass(frozen=True)
class ModelsRoom:
    """What the pages read from and act on."""

    records: AwaitedRecords
    registry: Registry
    jobs: JobStore
    relabelling: ArchivePass

    def version(self, name: str) -> tuple[VersionFacts, Path]:
        """A version and its directory. HTTPException 404: there is none of that name, or it is damaged."""
        try:
            directory = self.registry.find(name)
            return VersionFacts.of(self.registry, directory), directory
        except RegistryError as error:
            raise HTTPException(404, str(error)) from None

    def objection(self, facts: VersionFacts) -> str | None:
        """What speaks against serving it."""
        job = facts.manifest.get("job")
        return objection(facts, self.jobs.find(str(job)) if job else None)

    def promote(self, facts: VersionFacts, directory: Path, by: str, *, anyway: bool) -> None:
        """Try it, and serve it from now on. Raises AnotherServes, RegistryError, redis.RedisError."""
        try_apart(directory)
        against = facts.verdict["against"] if facts.verdict and not anyway else None
        self.registry.promote(facts.name, instead_of=against)
        if job := facts.manifest.get("job"):
            self.jobs.approve(str(job), by)


def models_routes(room: ModelsRoom, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(prefix="/models", include_in_schema=False)

    @router.get("")
    @needs(Role.VIEWER)
    async def list_versions(request: Request) -> Response:
        """All versions, the newest first, and how much of the archive the served one has answered."""
        versions = await run_in_threadpool(answering, lambda: all_versions(room.registry))
        before = await run_in_threadpool(answering, room.registry.served_before)
        counts = await room.records.read(by_model)
        served = next((each.name for each in versions if each.served), "")
        return pages.page(
            request,
            "models.html.jinja",
            versions=[view.line(each) for each in reversed(versions)],
            served=served,
            before=before[0] if before else "",
            answered=counts.get(served, 0),
            all_answered=sum(counts.values()),
            relabelling=room.relabelling.progress,
            is_relabelling=room.relabelling.is_running,
        )

    @router.post("/rollback")
    @needs(Role.ADMIN)
    async def roll_back(request: Request) -> Response:
        """Serve the version that was served before `from`."""
        form, by = await form_of(request), asker_of(request).name
        served = form.get("from", "")

        def back() -> str:
            _check_served(room.registry, served)
            return room.registry.rollback()

        await audited(room.records, by, "version rolled back", served, back)
        return RedirectResponse("/models", HTTPStatus.SEE_OTHER)

    @router.post("/relabel")
    @needs(Role.ADMIN)
    async def relabel(request: Request) -> Response:
        """Have the archive labelled by the version `version`, if it is served."""
        form, by = await form_of(request), asker_of(request).name
        version = form.get("version", "")
        await audited(room.records, by, "archive relabelled", version, lambda: _check_served(room.registry, version))
        room.relabelling.begin(version, by)
        return RedirectResponse("/models", HTTPStatus.SEE_OTHER)

    @router.get("/compare")
    @needs(Role.VIEWER)
    async def compare(request: Request, old: str = "", new: str = "") -> Response:
        """Two versions on the pictures that both were shown."""

        def run() -> tuple[Comparison, list[view.Difference]]:
            (_, before), (_, after) = room.version(old), room.version(new)
            try:
                found = compare_kept(room.registry, old, new)
            except ComparisonError as error:
                raise HTTPException(404, str(error)) from None
            return found, view.differences(found, before, after)

        found, shown = await run_in_threadpool(run)
        return pages.page(
            request,
            "comparison.html.jinja",
            old=found.old.version,
            new=found.new.version,
            verdict=found.verdict,
            pairs=view.pairs(found.verdict),
            count=len(found.labels),
            differing=len(found.differing),
            differences=shown,
        )

    async def shown(request: Request, name: str, status: int = 200, sentence: str = "") -> Response:
        facts, _ = await run_in_threadpool(room.version, name)
        against = await run_in_threadpool(answering, lambda: room.objection(facts))
        served = await run_in_threadpool(lambda: room.registry.promoted_name() or "shipped")
        verdict = Verdict.from_json(facts.verdict) if facts.verdict else None
        return pages.page(
            request,
            "version.html.jinja",
            status,
            facts=facts,
            served=served,
            standing=view.standing(facts),
            about=view.facts(facts.manifest),
            figures=view.figures(facts.manifest),
            verdict=verdict,
            against=facts.verdict.get("against", "") if facts.verdict else "",
            pairs=view.pairs(verdict) if verdict else (),
            objection=against,
            sentence=sentence,
        )

    @router.get("/{name}")
    @needs(Role.VIEWER)
    async def show(request: Request, name: str) -> Response:
        """One version: its figures, its data, the gate's reasons."""
        return await shown(request, name)

    @router.post("/{name}/promote")
    @needs(Role.ADMIN)
    async def promote(request: Request, name: str) -> Response:
        """Serve the version from now on; with `anyway`, whatever speaks against it."""
        form, by = await form_of(request), asker_of(request).name
        facts, directory = await run_in_threadpool(room.version, name)
        anyway = bool(form.get("anyway"))
        against = None if anyway else await run_in_threadpool(answering, lambda: room.objection(facts))
        if against:
            return await shown(request, name, HTTPStatus.CONFLICT)
        try:
            await audited(
                room.records,
                by,
                "version promoted",
                facts.name,
                lambda: room.promote(facts, directory, by, anyway=anyway),
                anyway=anyway,
            )
        except HTTPException as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            return await shown(request, name, HTTPStatus.CONFLICT, str(error.detail))
        return RedirectResponse(f"/models/{facts.name}", HTTPStatus.SEE_OTHER)

    router.include_router(_files(room))
    return router


def _files(room: ModelsRoom) -> APIRouter:
    """What is kept with a version for people."""
    router = APIRouter()

    @router.get("/{name}/report")
    @needs(Role.VIEWER)
    async def report(name: str) -> Response:
        """The report that was made with it."""
        facts, _ = await run_in_threadpool(room.version, name)
        if facts.report is None:
            raise HTTPException(404, f"no report is kept with {facts.name}")
        headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "private, max-age=3600"}
        return FileResponse(facts.report, media_type="text/html", headers=headers)

    @router.get("/{name}/pictures/{picture}")
    @needs(Role.VIEWER)
    async def picture(name: str, picture: str) -> Response:
        """A small picture of its hold-out."""
        _, directory = await run_in_threadpool(room.version, name)
        found = await run_in_threadpool(kept_picture, directory, picture)
        if found is None:
            raise HTTPException(404, "no such picture is kept with this version")
        return Response(found, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400, immutable"})

    return router


def _check_served(registry: Registry, version: str) -> None:
    """HTTPException 409 unless that version is served, as the page said on which somebody acted."""
    served = str(read_manifest(registry.promoted())["version"])
    if served != version:
        raise HTTPException(409, f"{served} is served by now, and not {version}: look at the versions again")
