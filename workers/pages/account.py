"""The page of one's own account: its tokens, and another password: `/account`."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from workers.access.accounts import Account, find_account
from workers.access.asker import Asker, asker_of
from workers.access.errors import AccessError
from workers.access.forgery import form_of
from workers.access.identification import Identification
from workers.access.login import Login, WrongPassword
from workers.access.passwords import LEAST
from workers.access.role import Role, needs
from workers.access.throttle import Throttled
from workers.access.tokens import Token, add_token, revoke_token, tokens_of
from workers.pages.login import signed_in
from workers.pages.rendering import Pages, spoken
from workers.pages.role_field import role_of

__all__ = ["account_routes"]

PAGE = "account.html.jinja"
#: How long a token is valid, in days: what the form proposes, and at most.
DAYS, MOST_DAYS = 90, 3650
#: What the address says was done, in words.
TOLD = {"password": "The password is changed."}


def account_routes(identification: Identification, pages: Pages, lasts: timedelta) -> APIRouter:
    """Routes for the gateway to mount. ``lasts``: how long somebody stays signed in."""
    router, records = APIRouter(prefix="/account", include_in_schema=False), identification.records
    login = Login(records, lasts)

    async def shown(
        request: Request, status: int = 200, sentence: str = "", told: str = "", text: str = ""
    ) -> Response:
        """``sentence``: what is wrong; ``told``: what was done; ``text``: of a new token, shown this once."""
        name = asker_of(request).name

        def read(connection: Connection) -> tuple[Account | None, list[Token]]:
            return find_account(connection, name), tokens_of(connection, name)

        account, tokens = await records.read(read)
        roles = [role.word for role in Role if account and role <= account.role]
        content = {"account": account, "tokens": tokens, "roles": roles, "text": text, "sentence": sentence}
        limits = {"days": DAYS, "most_days": MOST_DAYS, "least": LEAST}
        return pages.page(request, PAGE, status, told=told, **content, **limits)

    async def written(request: Request, change: Callable[[Connection], str]) -> Response:
        """The page after the change, which returns the text of a token to show, or with what is wrong with it."""
        try:
            text = await records.write(change)
        except AccessError as error:
            return await shown(request, HTTPStatus.UNPROCESSABLE_ENTITY, spoken(error))
        return await shown(request, text=text) if text else RedirectResponse("/account", HTTPStatus.SEE_OTHER)

    @router.get("")
    @needs(Role.VIEWER)
    async def show_account(request: Request, done: str = "") -> Response:
        """The tokens of whoever asks, without their texts. ``done``: `password` where that was just changed."""
        return await shown(request, told=TOLD.get(done, ""))

    @router.post("/tokens")
    @needs(Role.VIEWER)
    async def add(request: Request) -> Response:
        """Make a token with the role `role` for `days` days, and show it."""
        form, by = await form_of(request), _person(request).name
        role, days = role_of(form), _days(form.get("days", ""))
        return await written(request, lambda connection: add_token(connection, by, role, days, by=by)[1])

    @router.post("/tokens/{token_id}/revoke")
    @needs(Role.VIEWER)
    async def revoke(request: Request, token_id: str) -> Response:
        """Revoke a token of one's own."""
        by = _person(request).name

        def revoked(connection: Connection) -> str:
            revoke_token(connection, token_id, by=by, account=by)
            return ""

        return await written(request, revoked)

    @router.post("/password")
    @needs(Role.VIEWER)
    async def change_password(request: Request) -> Response:
        """Give the account the password `password`, by its present one, `present`."""
        form, name = await form_of(request), _person(request).name
        address = identification.proxies.address(request)
        try:
            if form.get("password", "") != form.get("again", ""):
                raise AccessError("the two passwords differ")
            secret = await login.by_change(name, form.get("present", ""), form.get("password", ""), address)
        except AccessError as error:
            return await shown(request, HTTPStatus.UNPROCESSABLE_ENTITY, spoken(error))
        except WrongPassword:
            return await shown(request, HTTPStatus.UNPROCESSABLE_ENTITY, "The present password is another one.")
        except Throttled as refusal:
            answer = await shown(request, HTTPStatus.TOO_MANY_REQUESTS, spoken(refusal))
            answer.headers["Retry-After"] = str(refusal.seconds)
            return answer
        return await signed_in(request, identification, secret, "/account?done=password", lasts)

    return router


def _person(request: Request) -> Asker:
    """Who asks, by a browser: a token must not make others that are more, or last longer, than itself."""
    asker = asker_of(request)
    if not asker.by_browser:
        raise HTTPException(422, "tokens and passwords are changed by whoever signs in, not by a token")
    return asker


def _days(text: str) -> timedelta:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= MOST_DAYS:
        raise HTTPException(422, f"days is a whole number, 1 to {MOST_DAYS}")
    return timedelta(days=int(text))
