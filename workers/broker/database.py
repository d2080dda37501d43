"""The broker's database, and the Lua scripts whose operations it executes atomically."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

__all__ = ["connect"]


def connect(url: str, script: Path, seconds: float) -> tuple[Any, Callable[..., Any]]:
    """A client, and a function that executes one operation of the script, given its name and arguments.

    Args:
        seconds: timeout of one answer.
    """
    client: Any = redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=5,
        socket_timeout=seconds,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
    )
    loaded = client.register_script(script.read_text())
    return client, lambda operation, *arguments: loaded(args=[operation, *arguments])
