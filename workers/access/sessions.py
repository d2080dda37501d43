"""Sessions: who is signed in. Each function works in the caller's transaction.

The records hold every session, so that it ends with its time, with signing out, with its account, and with the
account's password.
"""

from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from workers.access.asker import Asker
from workers.access.moments import after, now
from workers.access.role import Role
from workers.access.secret import digest, new_secret
from workers.records.access_tables import accounts, sessions

__all__ = ["close_session", "open_session", "session_of"]


def open_session(connection: Connection, account: str, lasts: timedelta) -> str:
    """Sign an account in; the secret for its cookie. Sessions that have ended are cleared away."""
    secret = new_secret()
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now()))
    connection.execute(insert(sessions).values(hash=digest(secret), account=account, expires_at=after(lasts)))
    return secret


def close_session(connection: Connection, secret: str) -> None:
    """Sign out."""
    connection.execute(delete(sessions).where(sessions.c.hash == digest(secret)))


def session_of(connection: Connection, secret: str) -> Asker | None:
    """Who is signed in by that secret, with the role of now; None where the session has ended."""
    wanted = (
        select(accounts.c.name, accounts.c.role)
        .join(sessions, sessions.c.account == accounts.c.name)
        .where(sessions.c.hash == digest(secret), sessions.c.expires_at > now())
    )
    found = connection.execute(wanted).one_or_none()
    return None if found is None else Asker(found[0], Role.of(found[1]), by_browser=True, signs_out=True, secret=secret)
