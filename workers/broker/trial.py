"""Trials: whether the broker would take what we write now. Nothing is written."""

from collections.abc import Sequence
from typing import Any

import redis

__all__ = ["answers", "try_to_accept", "try_to_write"]


def try_to_accept(client: Any, queue: str, key_prefix: str) -> None:
    """Return if the broker takes what accepting an instance for this queue writes, to the ledger and as a message.

    The commands are queued in a transaction that is then discarded: a broker refuses a command when it is queued, for
    the same reasons as when it is executed, whether it is a replica, is full, cannot save or gives no permission.

    Args:
        key_prefix: of Celery's keys.

    Raises:
        redis.RedisError: it does not answer, or refuses one of the commands.
    """
    _try(
        client,
        ("SCRIPT", "LOAD", "return 0"),
        ("EVALSHA", "0" * 40, 0),
        ("TIME",),
        ("HGET", "msk:entry:trial", "queue"),
        ("HSET", "msk:entry:trial", "queue", queue),
        ("ZADD", f"msk:waiting:{queue}", 0, "trial"),
        ("ZREM", f"msk:waiting:{queue}", "trial"),
        ("LLEN", f"{key_prefix}{queue}"),
        ("SADD", f"{key_prefix}_kombu.binding.{queue}", "trial"),
        ("LPUSH", f"{key_prefix}{queue}", "trial"),
    )


def try_to_write(client: Any) -> None:
    """Return if the broker takes writes to the keys of ledger and jobs. Raises as `try_to_accept` does."""
    _try(client, ("EVALSHA", "0" * 40, 0), ("HSET", "msk:job:trial", "lease", 0))


def _try(client: Any, *commands: tuple[str | int, ...]) -> None:
    connection = client.connection_pool.get_connection()
    try:
        # Alone: if it were refused, the others would be executed.
        _raise_first(answers(connection, [("MULTI",)]))
        _raise_first(answers(connection, [*commands, ("DISCARD",)]))
    except redis.RedisError:
        connection.disconnect()  # it may be in the transaction still
        raise
    finally:
        client.connection_pool.release(connection)


def _raise_first(said: Sequence[Any]) -> None:
    """Raise the first answer that is an error."""
    for answer in said:
        if isinstance(answer, redis.ResponseError):
            raise answer


def answers(connection: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send all commands together; their answers in order, and an error in place of an answer where one is refused.

    Raises:
        redis.ConnectionError, redis.TimeoutError: the broker did not answer.
    """
    connection.send_packed_command(connection.pack_commands(commands))
    return [_answer(connection) for _ in commands]


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except (redis.ConnectionError, redis.TimeoutError):
        raise
    except redis.ResponseError as error:
        return error
