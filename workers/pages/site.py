"""All pages: the first one, those of the rooms, their styles, and how errors are shown."""

from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from mskmodel.registry import Registry
from workers.access.identification import Identification
from workers.access.role import Role, needs
from workers.metadata.truth_changes import no_journal
from workers.pacs import OrthancClient
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.pages.errors import error_pages
from workers.pages.login import login_routes
from workers.pages.rendering import Pages
from workers.pages.review import review_routes
from workers.pages.studies import studies_routes
from workers.pages.users import users_routes
from workers.records.records_journal import RecordsJournal
from workers.settings import Settings

__all__ = ["add_pages"]

STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI, identification: Identification, settings: Settings) -> None:
    """Add them to the application."""
    pages, records = Pages(identification.proxies), identification.records
    client = OrthancClient.of(settings)
    orthanc, registry = AwaitedOrthanc(client), Registry(settings.models)
    journal = RecordsJournal(settings.records, client) if settings.records else no_journal
    app.include_router(login_routes(identification, pages, timedelta(hours=settings.session_hours)))
    app.include_router(users_routes(records, pages))
    app.include_router(review_routes(records, orthanc, registry, pages))
    app.include_router(studies_routes(records, orthanc, settings.orthanc_url, journal, pages))
    app.include_router(_first(pages))
    app.add_exception_handler(HTTPException, error_pages(pages))


def _first(pages: Pages) -> APIRouter:
    router, files = APIRouter(include_in_schema=False), StaticFiles(directory=STATIC)

    @router.get("/")
    @needs(Role.VIEWER)
    async def home(request: Request) -> Response:
        """Who is signed in, and where they may go."""
        return pages.page(request, "home.html.jinja")

    @router.get("/static/{name:path}")
    async def static(request: Request, name: str) -> Response:
        """A file of the theme."""
        return await files.get_response(name, request.scope)

    return router
