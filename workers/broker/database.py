"""The broker's database, and the Lua scripts whose operations it executes atomically."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from workers.broker_url import BrokerUrl
from workers.tls import Trust

__all__ = ["client", "connect", "sentinel_options"]

CONNECT_SECONDS = 5


def client(url: str, trust: Trust, seconds: float) -> Any:
    """A client of the server at this address, or of the one that the sentinels there name. Answers are text.

    Args:
        seconds: timeout of one answer.
    """
    broker = BrokerUrl.of(url)
    options: dict[str, Any] = {
        **_secured(broker, trust),
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": seconds,
        "username": broker.user,
        "password": broker.password,
        "db": broker.database,
        "decode_responses": True,
        "encoding_errors": "surrogateescape",  # another application's values need not be text
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
    }
    if broker.master:
        sentinels: Any = _Sentinels  # its base has no types
        asked = sentinels(broker.hosts, sentinel_kwargs=sentinel_options(broker, trust), **options)
        return asked.master_for(broker.master)
    ((host, port),) = broker.hosts
    return redis.Redis(host, port, **options)


class _Sentinels(Sentinel):
    """Where no sentinel answers, the error is why: redis-py alone says that none of them knows the server."""

    def discover_master(self, service_name: str) -> Any:
        """Host and port of the server. Raises redis.ConnectionError or redis.TimeoutError, as every command does."""
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            unknown = error
        reasons = [reason for sentinel in self.sentinels if (reason := _why_silent(sentinel))]
        raise reasons[0] if len(reasons) == len(self.sentinels) else unknown


def _why_silent(sentinel: redis.Redis) -> redis.RedisError | None:
    try:
        sentinel.ping()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        return error
    return None


def sentinel_options(broker: BrokerUrl, trust: Trust) -> dict[str, Any]:
    """How sentinels are asked: one that is away costs one try, then the next one is asked."""
    timeouts = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONNECT_SECONDS}
    return {**timeouts, **_secured(broker, trust), "retry": Retry(NoBackoff(), retries=0)}


def _secured(broker: BrokerUrl, trust: Trust) -> dict[str, Any]:
    return {"ssl": True, **broker.tls_options(trust)} if broker.tls else {}


def connect(url: str, trust: Trust, script: Path, seconds: float) -> tuple[Any, Callable[..., Any]]:
    """A `client`, and a function that executes one operation of the script, given its name and arguments."""
    database = client(url, trust, seconds)
    loaded = database.register_script(script.read_text())
    return database, lambda operation, *arguments: loaded(args=[operation, *arguments])
