"""Tokens, by which programs use the API in the name of an account, until they expire or are revoked.

Each function works in the caller's transaction.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from workers.access.accounts import known_account
from workers.access.asker import Asker
from workers.access.errors import AccessError
from workers.access.moments import after, now
from workers.access.role import Role
from workers.access.secret import digest, new_secret
from workers.records.access_tables import accounts, tokens
from workers.records.audit_log import note

__all__ = ["Token", "add_token", "holder", "revoke_token", "tokens_of"]

#: What a token begins with, so that people and scanners for secrets know one when they see it.
PREFIX = "msk_"


@dataclass(frozen=True)
class Token:
    """What is known of a token; nothing secret."""

    id: str
    account: str
    role: Role
    made_at: str
    expires_at: str

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= now()


def add_token(connection: Connection, account: str, role: Role, lasts: timedelta, *, by: str) -> tuple[Token, str]:
    """Make a token; it, and its text, which is shown this once.

    AccessError: there is no such account, or its role is smaller.
    """
    owner = known_account(connection, account)
    if role > owner.role:
        raise AccessError(f"{account} is {owner.role.word}, and a token may not be more than its owner")
    token = Token(secrets.token_hex(4), account, role, now(), after(lasts))
    text = PREFIX + new_secret()
    connection.execute(insert(tokens).values(token.__dict__ | {"role": role.word, "hash": digest(text)}))
    details = {"account": account, "role": role.word, "until": token.expires_at}
    note(connection, by, "token added", token.id, details)
    return token, text


def tokens_of(connection: Connection, account: str | None = None) -> list[Token]:
    """The tokens of an account, or all of them, by owner; the expired ones too."""
    wanted = select(*(tokens.c[name] for name in Token.__dataclass_fields__)).order_by(tokens.c.account, tokens.c.id)
    if account is not None:
        wanted = wanted.where(tokens.c.account == account)
    return [Token(**(dict(row) | {"role": Role.of(row["role"])})) for row in connection.execute(wanted).mappings()]


def revoke_token(connection: Connection, token_id: str, *, by: str, account: str | None = None) -> None:
    """Revoke a token, of that account where one is given. AccessError: there is none of that id."""
    owner = connection.scalar(select(tokens.c.account).where(tokens.c.id == token_id))
    if owner is None or account not in (None, owner):
        raise AccessError("there is no such token: msk users token list shows them")
    connection.execute(delete(tokens).where(tokens.c.id == token_id))
    note(connection, by, "token revoked", token_id, {"account": owner})


def holder(connection: Connection, text: str) -> Asker | None:
    """Whom the token speaks for, with the smaller role of token and owner; None where it is not valid."""
    wanted = (
        select(tokens.c.account, tokens.c.role, accounts.c.role)
        .join(accounts, accounts.c.name == tokens.c.account)
        .where(tokens.c.hash == digest(text), tokens.c.expires_at > now())
    )
    found = connection.execute(wanted).one_or_none()
    return None if found is None else Asker(found[0], min(Role.of(found[1]), Role.of(found[2])))
