"""What the labeller does in the broker, tried without doing it: commands are queued in a transaction that is discarded.

A server looks at a user's permissions (ACL) when a command is queued. It also says then whether it takes writes at all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from workers.broker.trial import answers

__all__ = ["try_permissions", "wanted"]

#: The rule that lets its key or channel be used, if it has one; and a command.
Attempt = tuple[str, tuple[Any, ...]]

#: Kinds of commands, as rules of ACL SETUSER. INFO is for the looks of this room alone.
ALLOWED = "+@read +@write +@connection +@transaction +@pubsub +@scripting -@dangerous -@admin +info +time"
#: A key of the ledger's, as all keys of ledger and jobs begin with `msk:`; and a queue of Celery's.
OURS, OUR_KEY, CELERYS_KEY = "msk:", "msk:entry:none", "label"
#: Patterns of channels that each worker listens to, after Celery's prefix and the number of the database. A user may
#: only listen to a pattern that stands literally in the rules.
CHANNELS = ("/{}.celery.pidbox", "/{}.celeryev/worker.*")

#: Commands of our scripts and of Celery's transport (kombu), with what they take after the key.
WITH_KEY: tuple[tuple[Any, ...], ...] = (
    ("BRPOP", 1),
    ("DEL",),
    ("EXISTS",),
    ("EXPIRE", 1),
    ("GET",),
    ("HDEL", "field"),
    ("HGET", "field"),
    ("HGETALL",),
    ("HINCRBY", "field", 1),
    ("HLEN",),
    ("HSET", "field", "value"),
    ("HSETNX", "field", "value"),
    ("LLEN",),
    ("LPUSH", "value"),
    ("LRANGE", 0, 0),
    ("LTRIM", 0, 0),
    ("PEXPIRE", 1),
    ("RPOP",),
    ("RPUSH", "value"),
    ("SADD", "member"),
    ("SET", "value"),
    ("SISMEMBER", "member"),
    ("SMEMBERS",),
    ("SREM", "member"),
    ("ZADD", 1, "member"),
    ("ZCARD",),
    ("ZCOUNT", 0, 0),
    ("ZRANGE", 0, 0),
    ("ZRANGEBYSCORE", 0, 0),
    ("ZREM", "member"),
    ("ZREVRANGE", 0, 0),
    ("ZSCORE", "member"),
)
#: What is queued in a transaction is never executed here, so that executing one is tried on its own.
TRANSACTION: tuple[Attempt, ...] = (
    (f"~{OURS}*", ("WATCH", OUR_KEY)),
    ("", ("UNWATCH",)),
    ("", ("MULTI",)),
    ("", ("EXEC",)),
)
WITH_CHANNEL: tuple[tuple[Any, ...], ...] = (("PSUBSCRIBE",), ("PUBLISH", "message"))
WITH_NEITHER: tuple[tuple[Any, ...], ...] = (
    ("EVALSHA", "0" * 40, 0),
    ("PING",),
    ("SCAN", 0),
    ("SCRIPT", "EXISTS", "0" * 40),
    ("SCRIPT", "LOAD", "return 1"),
    ("TIME",),
)


def wanted(user: str, celery_prefix: str, number: int) -> str:
    """The command that gives a user all that the labeller needs in that database, and nothing that concerns others.

    ``celery_prefix``: of Celery's keys and channels.
    """
    keys, channels = f"~{OURS}* ~{celery_prefix}*", " ".join(f"&{each}" for each in _channels(celery_prefix, number))
    return f"ACL SETUSER {user} resetkeys {keys} resetchannels {channels} -@all {ALLOWED}"


def try_permissions(
    database: redis.Redis, celery_prefix: str, number: int
) -> tuple[list[str], redis.ResponseError | None]:
    """What this user lacks, as rules of ACL SETUSER such as `+brpop` and `~msk:*`; and why writes are refused, if so.

    ``celery_prefix``, ``number``: as those of `wanted`.

    Raises:
        redis.ConnectionError, redis.TimeoutError: the server did not answer.
    """
    with _connection(database) as connection:
        lacking, _ = _refused(connection, TRANSACTION)
        if {"+multi", "+exec"} & set(lacking):  # outside of a transaction, what is tried would be done
            return lacking, None
        tried = [*_on_keys(OURS, OUR_KEY), *_on_keys(celery_prefix, celery_prefix + CELERYS_KEY)]
        for channel in _channels(celery_prefix, number):
            tried += [(f"&{channel}", (name, channel, *rest)) for name, *rest in WITH_CHANNEL]
        tried += [("", command) for command in WITH_NEITHER]
        more, refusal = _refused(connection, [("", ("MULTI",)), *tried, ("", ("DISCARD",))])
        return list(dict.fromkeys([*lacking, *more])), refusal


def _channels(celery_prefix: str, number: int) -> list[str]:
    return [celery_prefix + channel.format(number) for channel in CHANNELS]


def _on_keys(prefix: str, key: str) -> Iterator[Attempt]:
    for name, *rest in WITH_KEY:
        yield f"~{prefix}*", (name, key, *rest)


@contextmanager
def _connection(database: Any) -> Iterator[Any]:
    """A connection that nobody uses afterwards."""
    connection = database.connection_pool.get_connection()
    try:
        yield connection
    finally:
        connection.disconnect()
        database.connection_pool.release(connection)


def _refused(connection: Any, tried: Sequence[Attempt]) -> tuple[list[str], redis.ResponseError | None]:
    """Send all commands together; the rules that are lacking, and the first error of another kind."""
    lacking: dict[str, None] = {}
    refusal = None
    said = answers(connection, [command for _, command in tried])
    for (place, command), answer in zip(tried, said, strict=True):
        if isinstance(answer, redis.exceptions.NoPermissionError) or "NOPERM" in str(answer):  # so EXEC says it
            lacking[_rule(command, place, str(answer))] = None
        elif isinstance(answer, redis.ResponseError):
            refusal = refusal or answer
    return list(lacking), refusal


def _rule(command: tuple[Any, ...], place: str, refusal: str) -> str:
    """The rule that would allow it; ``place``: the one for its key or channel."""
    if "to run the" in refusal or not place:
        name = str(command[0]).lower()
        return f"+{name}|{command[1].lower()}" if name == "script" else f"+{name}"
    return place
