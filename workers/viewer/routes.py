"""OHIF below /ohif/: its page for each of its addresses, its files, and our configuration of it."""

import re
from pathlib import Path, PurePosixPath

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from workers.access.role import Role, needs
from workers.viewer.configuration import app_config
from workers.viewer.installing import BASE, INDEX
from workers.viewer.policy import page_policy, worker_policy

__all__ = ["viewer_routes"]

#: A file whose name changes with its content.
HASHED = re.compile(r"(?:\.bundle\.)?[0-9a-f]{16}\.(?:js|wasm|woff2)$")
FOR_EVER, ASKED_EACH_TIME = "private, max-age=31536000, immutable", "no-cache"
#: With these the page may measure and share memory as OHIF wants it.
ISOLATED = {"Cross-Origin-Embedder-Policy": "require-corp"}


def viewer_routes(folder: Path, dicom_web: str, role: Role) -> APIRouter:
    """Routes for the gateway to mount. ``folder``: of the pages, which are installed. ``role``: the smallest that may.

    Raises TableError, for a site's own table of labels that cannot be read.
    """
    router, files = APIRouter(prefix=BASE.rstrip("/"), include_in_schema=False), StaticFiles(directory=folder)
    configuration, fresh = app_config(BASE, dicom_web), {"Cache-Control": ASKED_EACH_TIME}
    page = page_policy((folder / INDEX).read_text(encoding="utf-8"))

    @router.get("/app-config.js")
    @needs(role)
    async def configure() -> Response:
        """Our configuration."""
        return Response(configuration, headers=ISOLATED | fresh, media_type="text/javascript")

    @router.get("/{path:path}")
    @needs(role)
    async def show(request: Request, path: str) -> Response:
        """A file, or the page where no file is asked for: what follows then is an address within OHIF."""
        is_file = bool(PurePosixPath(path).suffix) and path != INDEX
        answer = await files.get_response(path if is_file else INDEX, request.scope)
        answer.headers["Cache-Control"] = FOR_EVER if HASHED.search(path) else ASKED_EACH_TIME
        answer.headers.update(ISOLATED | {"Content-Security-Policy": worker_policy() if is_file else page})
        return answer

    return router
