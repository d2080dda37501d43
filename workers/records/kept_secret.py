"""The site's secret as the records keep it, so that it survives a broker that has lost its data."""

from typing import Any

from sqlalchemy import Connection, insert, select

from workers.evidence.secret import put_secret, site_secret
from workers.records.schema import secrets

__all__ = ["agreed_secret"]

NAME = "site"


def agreed_secret(connection: Connection, broker: Any) -> bytes:
    """The secret, the same in the records and in the broker: that of the records, where they have one.

    Raises:
        redis.RedisError, sqlalchemy.exc.SQLAlchemyError: one of them is away.
    """
    with connection.begin():
        kept = connection.scalar(select(secrets.c.value).where(secrets.c.name == NAME))
        if kept is None:
            kept = site_secret(broker).hex()
            connection.execute(insert(secrets).values(name=NAME, value=kept))
    put_secret(broker, bytes.fromhex(kept))
    return bytes.fromhex(kept)
