"""Signing in, by a password or by a link that was made for choosing one; and another password."""

from contextlib import suppress
from datetime import timedelta

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Connection, select

from workers.access.accounts import account_name, invited_account, set_password
from workers.access.awaited_records import AwaitedRecords
from workers.access.errors import AccessError
from workers.access.passwords import hashed, is_right
from workers.access.sessions import open_session, session_of
from workers.access.throttle import Throttled, begin_try, forgive
from workers.records.access_tables import accounts
from workers.records.audit_log import note

__all__ = ["Login", "WrongPassword"]

#: Passwords looked at together: each takes 64 MiB, and a core for a twentieth of a second.
AT_ONCE = 2


class WrongPassword(Exception):
    """Name and password do not belong together."""


class Login:
    """Makes sessions of that length."""

    def __init__(self, records: AwaitedRecords, lasts: timedelta) -> None:
        self._records, self._lasts = records, lasts
        self._limiter = CapacityLimiter(AT_ONCE)

    async def by_password(self, name: str, password: str, address: str) -> str:
        """The secret of a new session.

        Raises:
            WrongPassword: there is no such account, or it has another password.
            Throttled: there were too many failures.
            HTTPException: 503 while the records are away.
        """
        with suppress(AccessError):  # such a name is nobody's, and fails as another one does
            name = account_name(name)
        kept = await self._records.write(lambda records: _begun(records, name, address))
        if isinstance(kept, Throttled):
            raise kept
        right = await to_thread.run_sync(is_right, kept, password, limiter=self._limiter)
        secret = await self._records.write(lambda records: self._ended(records, name, address, kept if right else None))
        if secret is None:
            raise WrongPassword
        return secret

    async def by_link(self, link: str, password: str) -> str:
        """The secret of a new session, once the password of the link's account is the one given.

        Raises:
            AccessError: the link does not work any more, or the password is too short or too long.
            HTTPException: 503 while the records are away.
        """

        def account(connection: Connection) -> str:
            name = invited_account(connection, link)
            if name is None:
                raise AccessError("the link was used, or is too old: ask for another one")
            return name

        def chosen(connection: Connection) -> str:
            name = account(connection)
            set_password(connection, name, kept, by=name)
            note(connection, name, "login", name, {"by": "link"})
            return open_session(connection, name, self._lasts)

        await self._records.read(account)
        kept = await to_thread.run_sync(hashed, password, limiter=self._limiter)
        return await self._records.write(chosen)

    async def by_change(self, name: str, present: str, password: str, address: str) -> str:
        """The secret of a new session, once the account has another password; all its other sessions have ended.

        Raises:
            AccessError: the password is too short or too long.
            Other errors: as `by_password` of the present one.
        """
        kept = await to_thread.run_sync(hashed, password, limiter=self._limiter)
        proof = await self.by_password(name, present, address)

        def changed(connection: Connection) -> str:
            if session_of(connection, proof) is None:  # somebody has changed the password since
                raise WrongPassword
            set_password(connection, name, kept, by=name)
            return open_session(connection, name, self._lasts)

        return await self._records.write(changed)

    def _ended(self, connection: Connection, name: str, address: str, kept: str | None) -> str | None:
        """A session for the account, if it still has the password of which that is kept."""
        if kept is None or _kept(connection, name) != kept:
            _refuse(connection, name, "login failed", address)
            return None
        forgive(connection, name, address)
        note(connection, name, "login", name, {"by": "password", "address": address})
        return open_session(connection, name, self._lasts)


def _begun(connection: Connection, name: str, address: str) -> Throttled | str | None:
    """What is kept of the account's password; Throttled where it must not be asked for."""
    refusal = begin_try(connection, name, address)
    if refusal is None:
        return _kept(connection, name)
    if refusal.is_new:
        _refuse(connection, name, "login throttled", address)
    return refusal


def _kept(connection: Connection, name: str) -> str | None:
    return connection.scalar(select(accounts.c.password).where(accounts.c.name == name))


def _refuse(connection: Connection, name: str, what: str, address: str) -> None:
    """Note it; not what was typed where no account has that name, since it may be a password."""
    known = connection.scalar(select(accounts.c.name).where(accounts.c.name == name)) or ""
    note(connection, known, what, known, {"address": address})
