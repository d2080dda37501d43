"""The tables of who may: accounts, their tokens and sessions, and failed logins.

Secrets stand in them hashed alone.
"""

from sqlalchemy import Column, ForeignKey, Integer, Table, Text

from workers.records.schema import tables

__all__ = ["accounts", "login_failures", "sessions", "tokens"]

#: People. ``password``: by Argon2, NULL until it is chosen. ``invitation``: hash of the link by which it is chosen.
accounts = Table(
    "accounts",
    tables,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("invitation", Text, unique=True),
    Column("invited_until", Text),
    Column("made_at", Text, nullable=False),
)


def _owner() -> Column[str]:
    return Column("account", Text, ForeignKey("accounts.name", ondelete="CASCADE"), nullable=False, index=True)


#: Keys of programs to the API. ``id`` names one, and is no secret.
tokens = Table(
    "tokens",
    tables,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    _owner(),
    Column("role", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

#: Who is signed in. ``hash``: of what the browser's cookie says.
sessions = Table(
    "sessions",
    tables,
    Column("hash", Text, primary_key=True),
    _owner(),
    Column("expires_at", Text, nullable=False),
)

#: How often nobody could be signed in, by account and by address, both as hashes, until that is forgotten.
login_failures = Table(
    "login_failures",
    tables,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", Text, nullable=False),
)
