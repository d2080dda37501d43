"""Accounts: people, each with a role. Each function works in the caller's transaction, and is on the audit log.

A person chooses the password, by a link that works once; so nobody else ever knows it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from workers.access.errors import AccessError
from workers.access.moments import after, now
from workers.access.role import Role
from workers.access.secret import digest, new_secret
from workers.records.access_tables import accounts, sessions
from workers.records.audit_log import note

__all__ = [
    "INVITED",
    "Account",
    "account_name",
    "accounts_of",
    "add_account",
    "find_account",
    "invite",
    "invited_account",
    "known_account",
    "remove_account",
    "set_password",
    "set_role",
]

#: How long a link works by which a password is chosen.
INVITED = timedelta(days=3)

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Account:
    """One person."""

    name: str
    role: Role
    has_password: bool
    invited_until: str | None
    """Until when the link works by which the password is chosen; None where there is none."""
    made_at: str


def account_name(name: str) -> str:
    """The name as accounts have it, in lower case. AccessError: it can be none."""
    found = name.strip().lower()
    if not _NAME.fullmatch(found):
        raise AccessError("the name of an account has 1 to 64 letters of a to z, digits, and . _ @ + -")
    return found


def accounts_of(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    return [_account(row) for row in connection.execute(select(accounts).order_by(accounts.c.name)).mappings()]


def find_account(connection: Connection, name: str) -> Account | None:
    """The account of that name; None if there is none."""
    row = connection.execute(select(accounts).where(accounts.c.name == name)).mappings().one_or_none()
    return None if row is None else _account(row)


def known_account(connection: Connection, name: str) -> Account:
    """The account of that name. AccessError: there is none."""
    account = find_account(connection, name)
    if account is None:
        raise AccessError("there is no such account: msk users list shows them")
    return account


def add_account(connection: Connection, name: str, role: Role, *, by: str) -> str:
    """Make an account that has no password yet; its name. AccessError: the name is taken, or cannot be one."""
    name = account_name(name)
    try:
        connection.execute(insert(accounts).values(name=name, role=role.word, made_at=now()))
    except IntegrityError:
        raise AccessError(f"there is an account {name} already") from None
    note(connection, by, "account added", name, {"role": role.word})
    return name


def remove_account(connection: Connection, name: str, *, by: str) -> None:
    """Remove an account, with its sessions and tokens. AccessError: there is none, or it is the last administrator."""
    known_account(connection, name)
    connection.execute(delete(accounts).where(accounts.c.name == name))
    _check_administrators(connection)
    note(connection, by, "account removed", name, {})


def set_role(connection: Connection, name: str, role: Role, *, by: str) -> None:
    """Give another role, at once for sessions and tokens too. AccessError as `remove_account`."""
    before = known_account(connection, name).role
    connection.execute(update(accounts).where(accounts.c.name == name).values(role=role.word))
    if before is Role.ADMIN:
        _check_administrators(connection)
    note(connection, by, "role changed", name, {"before": before.word, "role": role.word})


def set_password(connection: Connection, name: str, kept: str, *, by: str) -> None:
    """Set the password; whoever is signed in must sign in again. AccessError: there is no such account.

    ``kept``: what `hashed` makes of it, outside of the transaction, since that takes its time.
    """
    known_account(connection, name)
    values = {"password": kept, "invitation": None, "invited_until": None}
    connection.execute(update(accounts).where(accounts.c.name == name).values(values))
    connection.execute(delete(sessions).where(sessions.c.account == name))
    note(connection, by, "password changed", name, {})


def invite(connection: Connection, name: str, *, by: str) -> str:
    """The secret of a new link by which the password is chosen, once; an earlier link no longer works."""
    known_account(connection, name)
    secret = new_secret()
    values = {"invitation": digest(secret), "invited_until": after(INVITED)}
    connection.execute(update(accounts).where(accounts.c.name == name).values(values))
    note(connection, by, "password link made", name, {})
    return secret


def invited_account(connection: Connection, secret: str) -> str | None:
    """The name of the account whose password the link chooses; None where the link does not work any more."""
    wanted = select(accounts.c.name).where(accounts.c.invitation == digest(secret), accounts.c.invited_until > now())
    return connection.scalar(wanted)


def _account(row: Mapping[Any, Any]) -> Account:
    has_password = row["password"] is not None
    return Account(row["name"], Role.of(row["role"]), has_password, row["invited_until"], row["made_at"])


def _check_administrators(connection: Connection) -> None:
    count = select(func.count()).select_from(accounts).where(accounts.c.role == Role.ADMIN.word)
    if not connection.scalar(count):
        raise AccessError("that would leave no administrator: make another one first")
