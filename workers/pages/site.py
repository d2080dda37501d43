"""All pages: the first one, those of the rooms, their styles, and how errors are shown."""

from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from workers.access.awaited_records import AwaitedRecords
from workers.access.identification import Identification
from workers.access.role import Role
from workers.broker.database import client
from workers.ledger import Ledger
from workers.metadata.truth_changes import no_journal
from workers.pages.account import account_routes
from workers.pages.arrivals import arrivals_routes
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.awaited_priors import AwaitedPriors
from workers.pages.errors import error_pages
from workers.pages.job_deeds import JobDeeds
from workers.pages.jobs import jobs_routes
from workers.pages.ledger import ledger_routes
from workers.pages.ledger_room import LedgerRoom
from workers.pages.live import Signs, live_routes
from workers.pages.login import login_routes
from workers.pages.models import ModelsRoom, models_routes
from workers.pages.relabelling import ArchivePass
from workers.pages.rendering import Pages
from workers.pages.review import review_routes
from workers.pages.studies import studies_routes
from workers.pages.users import users_routes
from workers.pages.viewer_link import viewer_link_routes
from workers.records.records_journal import RecordsJournal
from workers.settings import Settings
from workers.viewer.installing import installed_pages

__all__ = ["add_pages"]

#: Timeout of the broker's answers in seconds.
ANSWER_SECONDS = 10
STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI, identification: Identification, settings: Settings, deeds: JobDeeds) -> None:
    """Add them to the application. ``deeds``: what is done with training jobs."""
    pages, records = Pages(identification.proxies), identification.records
    lasts = timedelta(hours=settings.session_hours)
    app.include_router(login_routes(identification, pages, lasts))
    app.include_router(account_routes(identification, pages, lasts))
    app.include_router(users_routes(records, pages))
    _add_lists(app, records, settings, deeds, pages)
    _add_pictures(app, records, settings, deeds, pages)
    app.include_router(_static())
    app.add_exception_handler(HTTPException, error_pages(pages))


def _add_lists(app: FastAPI, records: AwaitedRecords, settings: Settings, deeds: JobDeeds, pages: Pages) -> None:
    """What administrators and researchers use."""
    celery, orthanc, registry, jobs = deeds.app, deeds.orthanc, deeds.registry, deeds.store
    ledger, broker = Ledger.of(settings), client(settings.broker_url, settings.trust, ANSWER_SECONDS)
    app.include_router(arrivals_routes(records, registry, pages))
    app.include_router(ledger_routes(LedgerRoom(records, orthanc, ledger, broker, celery, settings.kinds), pages))
    app.include_router(models_routes(ModelsRoom(records, registry, jobs, ArchivePass(celery, orthanc, ledger)), pages))
    app.include_router(jobs_routes(deeds, pages))
    app.include_router(live_routes(Signs(records, jobs, ledger, lambda: getattr(app.state, "is_ending", _never)())))


def _add_pictures(app: FastAPI, records: AwaitedRecords, settings: Settings, deeds: JobDeeds, pages: Pages) -> None:
    """What radiologists use."""
    orthanc = AwaitedOrthanc(deeds.orthanc)
    journal = RecordsJournal(settings.records, deeds.orthanc) if settings.records else no_journal
    app.include_router(review_routes(records, orthanc, deeds.registry, pages))
    viewer = Role.of(settings.names_role) if installed_pages(settings.viewer) else None
    app.include_router(studies_routes(records, orthanc, settings.orthanc_url, journal, pages, viewer))
    if viewer:
        app.include_router(viewer_link_routes(orthanc, AwaitedPriors(records, orthanc), viewer))


def _never() -> bool:
    return False


def _static() -> APIRouter:
    router, files = APIRouter(include_in_schema=False), StaticFiles(directory=STATIC)

    @router.get("/static/{name:path}")
    async def static(request: Request, name: str) -> Response:
        """A file of the theme."""
        return await files.get_response(name, request.scope)

    return router
