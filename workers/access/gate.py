"""The gate before every route, page and API alike: what is open, and who may use what is not.

`judge` is a dependency of the application itself, so that it stands before each route, whoever made it. A route that
declares no role is refused. What is no route of FastAPI's, such as an application mounted in it, has no dependencies:
the middleware `Gate` lets no answer of such out.
"""

import logging
from typing import Any

from fastapi import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.access.forgery import check_form
from workers.access.identification import Identification
from workers.access.role import role_needed

__all__ = ["Gate", "Judge", "is_open"]

#: What strangers may use: these paths, and what begins with one of those.
WEBHOOKS = "/hooks/"
OPEN, OPEN_BELOW = frozenset({"/healthz", "/readyz", "/login"}), ("/static/", WEBHOOKS)
#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: Statuses by which the router itself says that there is no such route, or where it is.
NOT_FOUND = frozenset({307, 404, 405})

#: No script, style or frame but our own files'; no frame around ours; no address of ours told to other sites.
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}

UNDECLARED = "nobody may: this route declares no role"

log = logging.getLogger(__name__)


def is_open(path: str) -> bool:
    """Whether strangers may use what is at that path."""
    return path in OPEN or path.startswith(OPEN_BELOW)


class Judge:
    """The dependency that finds out who asks, and whether they may."""

    def __init__(self, identification: Identification) -> None:
        self._identification = identification

    async def __call__(self, connection: HTTPConnection) -> None:
        """Puts the asker into the state of the request.

        HTTPException: 401 for a stranger, 403 for a role that is too small or a forged form, 503 where that cannot be
        found out.
        """
        if is_open(connection.scope["path"]):
            return
        connection.state.judged = True
        needed = role_needed(getattr(connection.scope.get("route"), "endpoint", None))
        if needed is None:
            log.error("route-without-role path=%s", getattr(connection.scope.get("route"), "path", ""))
            raise HTTPException(403, UNDECLARED)
        asker = await self._identification.asker(connection)
        if asker is None:
            raise self._stranger()
        connection.state.asker = asker
        if asker.role < needed:
            raise HTTPException(403, f"this needs the role {needed.word}, and {asker.name} is {asker.role.word}")
        if asker.by_browser and isinstance(connection, Request) and connection.method not in SAFE:
            await check_form(connection, asker.secret)

    def _stranger(self) -> HTTPException:
        if not self._identification.is_possible:
            return HTTPException(503, "nobody may: MSK_API_TOKEN is not set for the gateway, nor MSK_RECORDS")
        said = "sign in at /login, or send a token: Authorization: Bearer ..."
        return HTTPException(401, said, {"WWW-Authenticate": "Bearer"})


class Gate:
    """The middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds headers to each answer that has none of its own, and holds back those that nobody has judged."""
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or scope["path"].startswith(WEBHOOKS):  # no browser, and many in a second
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        may_pass = is_open(scope["path"])
        held_back = False

        async def send_judged(message: Message) -> None:
            nonlocal held_back
            if message["type"] == "http.response.start":
                held_back = not (may_pass or state.get("judged") or message["status"] in NOT_FOUND)
                headers = list(message.get("headers", ()))
                own = {name for name, _ in headers}
                message["headers"] = headers + [each for each in HEADERS.items() if each[0] not in own]
            if not held_back:
                await send(message)

        await self._app(scope, receive, send_judged)
        if held_back:
            log.error("route-without-role path=%r", scope["path"])
            await JSONResponse({"detail": UNDECLARED}, 403)(scope, receive, send)
