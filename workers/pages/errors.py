"""What went wrong, as a page for people and as JSON for programs; strangers are shown the way in."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workers.pages.rendering import Pages

__all__ = ["error_pages"]


def error_pages(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The application's handler of HTTPException."""

    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # what it is registered for
        if not _wants_page(request):
            return await http_exception_handler(request, error)
        if error.status_code == HTTPStatus.UNAUTHORIZED and request.method == "GET":
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(path, safe='/')}", HTTPStatus.SEE_OTHER)
        said = pages.page(request, "error.html.jinja", error.status_code, sentence=error.detail)
        said.headers.update(error.headers or {})
        return said

    return answer


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
