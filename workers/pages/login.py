"""Signing in and out: `/login`, also by a link for choosing a password, and `/logout`."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from workers.access.accounts import invited_account
from workers.access.asker import asker_of
from workers.access.errors import AccessError
from workers.access.forgery import COOKIE, check_form, form_of
from workers.access.identification import Identification
from workers.access.login import Login, WrongPassword
from workers.access.passwords import LEAST
from workers.access.role import Role, needs
from workers.access.session_cookie import set_session_cookie, take_session_cookie
from workers.access.sessions import close_session
from workers.access.throttle import Throttled
from workers.pages.rendering import Pages, spoken

__all__ = ["login_routes", "signed_in"]

PAGE, LINK_PAGE = "login.html.jinja", "password.html.jinja"


def login_routes(identification: Identification, pages: Pages, lasts: timedelta) -> APIRouter:
    """Routes for the gateway to mount. ``lasts``: how long somebody stays signed in."""
    router, login = APIRouter(include_in_schema=False), Login(identification.records, lasts)

    @router.get("/login")
    async def ask(request: Request) -> Response:
        """The form; with `once=SECRET`, that for choosing a password."""
        link, target = request.query_params.get("once", ""), request.query_params.get("next", "")
        if not link:
            return pages.page(request, PAGE, next=_local(target), name="", sentence="")
        name = await identification.records.read(lambda records: invited_account(records, link))
        if name is None:
            sentence = "This link was used, or is too old. Ask for another one."
            return pages.page(request, PAGE, 410, next="/", name="", sentence=sentence)
        return pages.page(request, LINK_PAGE, name=name, once=link, least=LEAST, sentence="")

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        """Sign in by the fields `name` and `password`, or by `once` and the new `password`."""
        await check_form(request, request.cookies.get(COOKIE, ""))
        form = await form_of(request)
        if link := form.get("once"):
            return await choose(request, link, form)
        name, target = form.get("name", ""), _local(form.get("next", ""))
        address = identification.proxies.address(request)
        try:
            secret = await login.by_password(name, form.get("password", ""), address)
        except WrongPassword:
            return pages.page(request, PAGE, 401, next=target, name=name, sentence="Name or password is wrong.")
        except Throttled as refusal:
            answer = pages.page(request, PAGE, 429, next=target, name=name, sentence=spoken(refusal))
            answer.headers["Retry-After"] = str(refusal.seconds)
            return answer
        return await signed_in(request, identification, secret, target, lasts)

    async def choose(request: Request, link: str, form: dict[str, str]) -> Response:
        password, name = form.get("password", ""), form.get("name", "")
        try:
            if password != form.get("again", ""):
                raise AccessError("the two passwords differ")
            secret = await login.by_link(link, password)
        except AccessError as error:
            return pages.page(request, LINK_PAGE, 422, name=name, once=link, least=LEAST, sentence=spoken(error))
        return await signed_in(request, identification, secret, "/", lasts)

    @router.post("/logout")
    @needs(Role.VIEWER)
    async def sign_out(request: Request) -> Response:
        """End the session, for whoever has its cookie."""
        secret = asker_of(request).secret
        await identification.records.write(lambda records: close_session(records, secret))
        answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        take_session_cookie(answer, secure=identification.proxies.is_secure(request))
        return answer

    return router


async def signed_in(
    request: Request, identification: Identification, secret: str, target: str, lasts: timedelta
) -> Response:
    """The way to a page of ours, with the cookie of the session of that secret."""
    answer = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    secure = identification.proxies.is_secure(request)
    set_session_cookie(answer, await identification.signer(), secret, lasts, secure=secure)
    return answer


def _local(target: str) -> str:
    """A path of ours to go to after signing in; what might lead to another site becomes the first page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\", "/login")) and target.isprintable()
    return target if is_path else "/"
