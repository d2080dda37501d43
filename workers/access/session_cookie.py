"""The cookie of a session: signed, closed to scripts, and sent by other sites' links alone."""

from datetime import timedelta

from itsdangerous import BadSignature, Signer
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from starlette.responses import Response

from workers.access.secret import new_secret
from workers.records.schema import secrets

__all__ = ["COOKIE", "kept_signer", "secret_in", "set_session_cookie", "take_session_cookie"]

COOKIE = "msk_session"
#: Name of the key of signatures, among the secrets of the records.
KEY = "cookies"


def kept_signer(connection: Connection) -> Signer:
    """What signs cookies; its key is made at the first call ever."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(secrets).values(name=KEY, value=new_secret()).on_conflict_do_nothing())
    return Signer(connection.execute(select(secrets.c.value).where(secrets.c.name == KEY)).scalar_one(), salt=COOKIE)


def secret_in(signer: Signer, cookie: str) -> str | None:
    """The secret that a cookie carries; None where its signature is not ours."""
    try:
        return signer.unsign(cookie).decode()
    except (BadSignature, UnicodeError):
        return None


def set_session_cookie(response: Response, signer: Signer, secret: str, lasts: timedelta, *, secure: bool) -> None:
    """Give the browser the cookie. ``secure``: only ever to be sent by TLS."""
    value = signer.sign(secret).decode()
    age = int(lasts.total_seconds())
    response.set_cookie(COOKIE, value, max_age=age, secure=secure, httponly=True, samesite="lax")


def take_session_cookie(response: Response, *, secure: bool) -> None:
    """Take it away."""
    response.delete_cookie(COOKIE, secure=secure, httponly=True, samesite="lax")
