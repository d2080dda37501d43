"""The broker's database, and the scripts whose operations happen there whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

__all__ = ["connect"]


def connect(url: str, script: Path, seconds: float) -> tuple[Any, Callable[..., Any]]:
    """A client, and a function that runs an operation of a script with its arguments.

    Args:
        seconds: that an answer may take.
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
