"""Secrets that this program makes, of 256 bits: what is kept of them is a digest, which nobody can guess back."""

import hashlib
import secrets

__all__ = ["digest", "new_secret"]


def new_secret() -> str:
    """43 characters that may stand in an address and in a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256, in hexadecimal digits. Passwords, which people choose, need Argon2 instead."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
