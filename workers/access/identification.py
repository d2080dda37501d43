"""Who asks: by the machine's own token, an account's, what a trusted proxy says, or the cookie of a session."""

import hmac
import logging

from fastapi import HTTPException
from itsdangerous import Signer
from starlette.requests import HTTPConnection

from workers.access.accounts import account_name, find_account
from workers.access.asker import Asker
from workers.access.awaited_records import AwaitedRecords
from workers.access.errors import AccessError
from workers.access.forgery import COOKIE as FORM_COOKIE
from workers.access.proxies import Proxies
from workers.access.role import Role
from workers.access.session_cookie import COOKIE, kept_signer, secret_in
from workers.access.sessions import session_of
from workers.access.tokens import holder
from workers.settings import Settings

__all__ = ["MACHINE", "Identification"]

#: Name of whoever has the machine's own token, where a request names nobody.
MACHINE = "api"

log = logging.getLogger(__name__)


class Identification:
    """Finds out who asks, by the settings of a site."""

    def __init__(self, settings: Settings) -> None:
        self.records, self.proxies = AwaitedRecords(settings.records), Proxies(settings.trusted_proxies)
        self._machine_token, self._user_header = settings.api_token, settings.user_header
        self._role_without_account = Role.of(settings.user_header_role) if settings.user_header_role else None
        self._signer: Signer | None = None
        if settings.user_header and not settings.trusted_proxies:
            log.warning("user-header-ignored MSK_TRUSTED_PROXIES names nobody who may send it")

    async def asker(self, connection: HTTPConnection) -> Asker | None:
        """Who asks; None for a stranger.

        HTTPException: 403 for somebody whom the proxy names and who has no account, 503 while the records are away.
        """
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self._holder(token.strip())
        if self._user_header and self._user_header in connection.headers and self.proxies.trusts(connection):
            return await self._named(connection.headers.getlist(self._user_header), connection)
        cookie = connection.cookies.get(COOKIE)
        return await self._signed_in(cookie) if cookie and self.records.are_there else None

    async def signer(self) -> Signer:
        """What signs cookies. HTTPException 503 while the records are away."""
        if self._signer is None:
            self._signer = await self.records.write(kept_signer)
        return self._signer

    @property
    def is_possible(self) -> bool:
        """Whether the settings let anybody in at all."""
        return bool(self._machine_token or self.records.are_there or self._user_header)

    async def _holder(self, token: str) -> Asker | None:
        given = token.encode("utf-8", "surrogatepass")
        if self._machine_token and hmac.compare_digest(given, self._machine_token.encode()):
            return Asker(MACHINE, Role.ADMIN, speaks_for_others=True)
        return await self.records.read(lambda connection: holder(connection, token)) if self.records.are_there else None

    async def _named(self, names: list[str], connection: HTTPConnection) -> Asker | None:
        """Whom the proxy names; the role is that of the account of that name, if there is one."""
        if names == [""]:
            return None
        try:
            name = account_name(", ".join(names))
        except AccessError as error:
            raise HTTPException(403, f"the proxy names nobody who could have an account: {error}") from None
        role = self._role_without_account
        if self.records.are_there:
            account = await self.records.read(lambda records: find_account(records, name))
            role = account.role if account else role
        if role is None:
            raise HTTPException(403, f"{name} has no account here: an administrator can make one")
        return Asker(name, role, by_browser=True, secret=connection.cookies.get(FORM_COOKIE, ""))

    async def _signed_in(self, cookie: str) -> Asker | None:
        secret = secret_in(await self.signer(), cookie)
        return await self.records.read(lambda connection: session_of(connection, secret)) if secret else None
