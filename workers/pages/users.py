"""The page of accounts and their tokens, for administrators: `/users`."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from workers.access.accounts import INVITED, accounts_of, add_account, invite, remove_account, set_role
from workers.access.asker import asker_of
from workers.access.awaited_records import AwaitedRecords
from workers.access.errors import AccessError
from workers.access.forgery import form_of
from workers.access.role import Role, needs
from workers.access.tokens import revoke_token, tokens_of
from workers.pages.rendering import Pages, spoken
from workers.pages.role_field import role_of

__all__ = ["users_routes"]

PAGE = "users.html.jinja"


def users_routes(records: AwaitedRecords, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(prefix="/users", include_in_schema=False)

    async def shown(
        request: Request, status: int = 200, sentence: str = "", link: str = "", name: str = ""
    ) -> Response:
        accounts, tokens = await records.read(lambda connection: (accounts_of(connection), tokens_of(connection)))
        content = {"accounts": accounts, "tokens": tokens, "roles": [role.word for role in Role]}
        said = {"sentence": sentence, "link": link, "name": name, "days": INVITED.days}
        return pages.page(request, PAGE, status, **content, **said)

    async def changed(request: Request, change: Callable[[Connection], None]) -> Response:
        """The list again, after the change or with what is wrong with it."""
        try:
            await records.write(change)
        except AccessError as error:
            return await shown(request, HTTPStatus.UNPROCESSABLE_ENTITY, spoken(error))
        return RedirectResponse("/users", HTTPStatus.SEE_OTHER)

    async def linked(request: Request, change: Callable[[Connection], tuple[str, str]]) -> Response:
        """The list with a link that is shown this once: it stands in no address and in no browser's history."""
        try:
            name, secret = await records.write(change)
        except AccessError as error:
            return await shown(request, HTTPStatus.UNPROCESSABLE_ENTITY, spoken(error))
        return await shown(request, link=f"/login?once={secret}", name=name)

    @router.get("")
    @needs(Role.ADMIN)
    async def list_accounts(request: Request) -> Response:
        """All accounts."""
        return await shown(request)

    @router.post("")
    @needs(Role.ADMIN)
    async def add(request: Request) -> Response:
        """Add the account `name` with the role `role`, and show the link for its password."""
        form, by = await form_of(request), asker_of(request).name
        role = role_of(form)

        def added(connection: Connection) -> tuple[str, str]:
            name = add_account(connection, form.get("name", ""), role, by=by)
            return name, invite(connection, name, by=by)

        return await linked(request, added)

    @router.post("/{name}/link")
    @needs(Role.ADMIN)
    async def make_link(request: Request, name: str) -> Response:
        """Show a new link for the account's password."""
        by = asker_of(request).name
        return await linked(request, lambda connection: (name, invite(connection, name, by=by)))

    @router.post("/{name}/role")
    @needs(Role.ADMIN)
    async def give_role(request: Request, name: str) -> Response:
        """Give the account the role `role`."""
        role, by = role_of(await form_of(request)), asker_of(request).name
        return await changed(request, lambda connection: set_role(connection, name, role, by=by))

    @router.post("/{name}/remove")
    @needs(Role.ADMIN)
    async def remove(request: Request, name: str) -> Response:
        """Remove the account, its sessions and its tokens."""
        by = asker_of(request).name
        return await changed(request, lambda connection: remove_account(connection, name, by=by))

    @router.post("/tokens/{token_id}/revoke")
    @needs(Role.ADMIN)
    async def revoke(request: Request, token_id: str) -> Response:
        """Revoke anybody's token."""
        by = asker_of(request).name
        return await changed(request, lambda connection: revoke_token(connection, token_id, by=by))

    return router
