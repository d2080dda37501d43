"""Whoever asks: a person who is signed in, a token's owner, or the holder of the machine's own token."""

from dataclasses import dataclass, field

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from workers.access.role import Role

__all__ = ["Asker", "asker_of"]


@dataclass(frozen=True)
class Asker:
    """Who asks, and what they may do."""

    name: str
    role: Role
    speaks_for_others: bool = False
    """Whether requests name their author, as those with the machine's own token do, which belongs to no person."""
    by_browser: bool = False
    """Whether the browser shows by itself who it is, so that each change needs a token against forgery."""
    signs_out: bool = False
    """Whether there is a session to end; one whom a proxy has signed in has none here."""
    secret: str = field(default="", repr=False)
    """What the browser shows, of which tokens against forgery are made: of the session, or a cookie of its own."""

    def author(self, named: str) -> str:
        """The author of what is asked for. ``named``: the one that the request names, "" for none.

        HTTPException 403: it names somebody else.
        """
        if self.speaks_for_others:
            return named
        if named.strip() not in ("", self.name):
            said = f"you are {self.name}, and speak for nobody else: name yourself as author, or nobody"
            raise HTTPException(403, said)
        return self.name


def asker_of(connection: HTTPConnection) -> Asker:
    """Who asks, as the gate has found out. HTTPException 401 on a route that is open, where nobody was asked."""
    found = getattr(connection.state, "asker", None)
    if not isinstance(found, Asker):
        raise HTTPException(401, "nobody is signed in")
    return found
