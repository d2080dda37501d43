"""A route that nobody has thought of is refused, whatever kind of route it is."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from workers.access.gate import Gate, Judge, is_open
from workers.access.identification import Identification
from workers.access.role import Role, needs
from workers.settings import Settings


async def shown(_: Request) -> Response:
    return PlainTextResponse("shown")


@pytest.fixture
def app() -> FastAPI:
    settings = Settings.from_environment(AccessSite("redis://127.0.0.1:1/0", "").environment)
    app, inner = FastAPI(dependencies=[Depends(Judge(Identification(settings)))]), APIRouter(prefix="/inner")
    app.add_middleware(Gate)
    for router in (app, inner):
        router.get("/forgotten")(lambda: "shown")
        router.get("/declared")(needs(Role.ADMIN)(lambda: "shown"))
    app.include_router(inner)
    app.mount("/mounted", Starlette(routes=[Route("/page", shown)]))
    app.add_route("/plain", shown)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

    return app


def get(app: FastAPI, path: str, headers: dict[str, str]) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/forgotten", "/inner/forgotten", "/mounted/page", "/plain"])
@pytest.mark.parametrize("headers", [{}, bearer(MACHINE_TOKEN)], ids=["stranger", "machine"])
def test_a_route_without_a_role_is_refused_to_everybody(app: FastAPI, path: str, headers: dict[str, str]) -> None:
    answer = get(app, path, headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": "nobody may: this route declares no role"})


@pytest.mark.parametrize("path", ["/declared", "/inner/declared"])
def test_a_route_with_a_role_is_open_to_that_role_alone(app: FastAPI, path: str) -> None:
    refused = get(app, path, {})
    assert refused.status_code == 401
    assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
    assert get(app, path, bearer(MACHINE_TOKEN)).json() == "shown"


def test_a_socket_is_refused(app: FastAPI) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    token = [(b"authorization", f"Bearer {MACHINE_TOKEN}".encode())]
    scope = {"type": "websocket", "path": "/socket", "headers": token, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/login/", "//login", "/LOGIN", "/healthz/x", "/static", "/hooks", "/loginx"])
def test_what_only_looks_like_an_open_path_is_none(path: str) -> None:
    assert not is_open(path)
