"""All pages: the first one, those of the rooms, their styles, and how errors are shown."""

from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from workers.access.identification import Identification
from workers.access.role import Role, needs
from workers.pages.errors import error_pages
from workers.pages.login import login_routes
from workers.pages.rendering import Pages
from workers.pages.users import users_routes

__all__ = ["add_pages"]

STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI, identification: Identification, session_time: timedelta) -> None:
    """Add them to the application. ``session_time``: how long somebody stays signed in."""
    pages = Pages(identification.proxies)
    app.include_router(login_routes(identification, pages, session_time))
    app.include_router(users_routes(identification.records, pages))
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
