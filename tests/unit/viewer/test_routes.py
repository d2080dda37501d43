"""OHIF below /ohif/: what is asked for, how long it may be kept, and what the browser may do with it."""

import asyncio
import hashlib
from base64 import b64encode
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI

from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from workers.access.gate import Gate, Judge
from workers.access.identification import Identification
from workers.access.role import Role
from workers.settings import Settings
from workers.viewer.routes import viewer_routes

INLINE = 'window.PUBLIC_URL="/ohif/"'
PAGE = f"<script>{INLINE}</script><script src='/ohif/app.bundle.0123456789abcdef.js'></script>"


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "app.bundle.0123456789abcdef.js").write_text("app()")
    (tmp_path / "app.bundle.css").write_text("body {}")
    settings = Settings.from_environment(AccessSite("redis://127.0.0.1:1/0", "").environment)
    app = FastAPI(dependencies=[Depends(Judge(Identification(settings)))])
    app.add_middleware(Gate)
    app.include_router(viewer_routes(tmp_path, "/dicom-web", Role.ADMIN))
    return app


def get(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2.3", "/ohif/index.html", "/ohif/assets"])
def test_each_address_of_the_viewer_is_its_page_with_a_policy_of_its_own(app: FastAPI, path: str) -> None:
    answer = get(app, path, **bearer(MACHINE_TOKEN))
    assert (answer.text, answer.headers["cache-control"]) == (PAGE, "no-cache")
    digest = b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}';" in policy
    assert "'unsafe-eval'" not in policy
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"


def test_a_file_whose_name_changes_with_it_is_kept_and_others_are_asked_for_again(app: FastAPI) -> None:
    hashed = get(app, "/ohif/app.bundle.0123456789abcdef.js", **bearer(MACHINE_TOKEN))
    assert (hashed.text, hashed.headers["cache-control"]) == ("app()", "private, max-age=31536000, immutable")
    style = get(app, "/ohif/app.bundle.css", **bearer(MACHINE_TOKEN))
    assert style.headers["cache-control"] == "no-cache"
    again = get(app, "/ohif/app.bundle.css", **bearer(MACHINE_TOKEN), **{"If-None-Match": style.headers["etag"]})
    assert again.status_code == 304
    script = get(app, "/ohif/app-config.js", **bearer(MACHINE_TOKEN))
    assert script.headers["content-type"].startswith("text/javascript")
    assert '"dicomWeb": "/dicom-web"' in script.text


@pytest.mark.parametrize(
    "path", ["/ohif/gone.js", "/ohif/app.bundle.js.map", "/ohif/../index.html", "/ohif/%2e%2e/x.js"]
)
def test_a_file_that_is_not_there_is_not_the_page(app: FastAPI, path: str) -> None:
    assert get(app, path, **bearer(MACHINE_TOKEN)).status_code == 404


@pytest.mark.parametrize("path", ["/ohif/", "/ohif/app-config.js", "/ohif/app.bundle.css"])
def test_strangers_get_nothing(app: FastAPI, path: str) -> None:
    assert get(app, path).status_code == 401
