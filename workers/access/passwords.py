"""Passwords, kept by Argon2id with the parameters that its library recommends (RFC 9106, for little memory)."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from workers.access.errors import AccessError
from workers.access.secret import new_secret

__all__ = ["LEAST", "MOST", "hashed", "is_right"]

#: Characters of a password.
LEAST, MOST = 12, 200

_HASHER = PasswordHasher()


def hashed(password: str) -> str:
    """What is kept of a password. AccessError: it is too short, or too long."""
    if not LEAST <= len(password) <= MOST:
        raise AccessError(f"a password has {LEAST} to {MOST} characters")
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def is_right(kept: str | None, password: str) -> bool:
    """Whether it is the password of which that was kept; None is kept where there is none, and none is right."""
    try:
        return _HASHER.verify(kept or _nobodys(), password.encode("utf-8", "surrogatepass")) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """Of nobody's password: where there is no account, looking takes as long as where there is one."""
    return _HASHER.hash(new_secret())
