"""Throttling of logins, by account and by address: after so many failures, nobody is let in for a while.

The records count, so that a restart forgets nothing. A try counts before it is judged, so that tries at the same
moment are no way around. Each function works in the caller's transaction.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from workers.access.moments import after, now
from workers.access.secret import digest
from workers.records.access_tables import login_failures

__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "WINDOW", "Throttled", "begin_try", "forgive"]

#: Failures in `WINDOW`. Many people share the address of a terminal server.
PER_ACCOUNT, PER_ADDRESS = 10, 50
#: How long failures count, from the first one on.
WINDOW = timedelta(minutes=15)


class Throttled(Exception):
    """There were too many failures. ``seconds``: until the next try."""

    def __init__(self, seconds: int, *, is_new: bool) -> None:
        """``is_new``: whether this is the first try that is refused."""
        super().__init__(f"too many failed logins: try again in {max(1, round(seconds / 60))} minutes")
        self.seconds, self.is_new = seconds, is_new


def begin_try(connection: Connection, account: str, address: str) -> Throttled | None:
    """Count a try against both; not None where it must not be judged."""
    connection.execute(delete(login_failures).where(login_failures.c.until <= now()))
    of_account, of_address = _keys(account, address)
    for key, most in ((of_address, PER_ADDRESS), (of_account, PER_ACCOUNT)):
        failures, until = _count(connection, key)
        if failures > most:
            left = datetime.fromisoformat(until) - datetime.now(UTC)
            return Throttled(max(1, int(left.total_seconds())), is_new=failures == most + 1)
    return None


def forgive(connection: Connection, account: str, address: str) -> None:
    """The try was a success: the account's failures are forgotten, the address's stay without this one."""
    of_account, of_address = _keys(account, address)
    connection.execute(delete(login_failures).where(login_failures.c.key == of_account))
    fewer = {"failures": login_failures.c.failures - 1}
    connection.execute(update(login_failures).where(login_failures.c.key == of_address).values(fewer))


def _keys(account: str, address: str) -> tuple[str, str]:
    """Hashed: what is typed for a name may be a password."""
    return digest(f"account {account}"), digest(f"address {address}")


def _count(connection: Connection, key: str) -> tuple[int, str]:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    counted = insert(login_failures).values(key=key, failures=1, until=after(WINDOW))
    more = {"failures": login_failures.c.failures + 1}
    connection.execute(counted.on_conflict_do_update(index_elements=[login_failures.c.key], set_=more))
    found = connection.execute(
        select(login_failures.c.failures, login_failures.c.until).where(login_failures.c.key == key)
    ).one()
    return found[0], found[1]
