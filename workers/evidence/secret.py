"""The site's secret, which its own codes, its stations and its patients are hashed with: one for all processes.

Label workers know Orthanc and the broker alone, so that it lies in the broker, where whoever needs it first makes it.
The records keep it too, and put it back into a broker that has lost it.
"""

import secrets
from typing import Any

__all__ = ["put_secret", "site_secret"]

KEY = "msk:evidence:secret"
_BYTES = 32


def site_secret(database: Any) -> bytes:
    """The secret, 32 bytes, made where there is none. ``database``: a client of the broker.

    Raises:
        redis.RedisError: the broker does not answer, or refuses.
    """
    kept = database.get(KEY)
    if kept is None:
        database.set(KEY, secrets.token_hex(_BYTES), nx=True)
        kept = database.get(KEY)
    return bytes.fromhex(kept)


def put_secret(database: Any, secret: bytes) -> None:
    """Make this the secret, as it was before the broker lost it. Raises redis.RedisError."""
    if database.get(KEY) != secret.hex():
        database.set(KEY, secret.hex())
