"""The broker: whether the labeller may do in it what it does, whether it takes writes, and whether it keeps them."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import redis

from workers.broker.database import client
from workers.broker_url import BrokerUrl
from workers.sentences import sentence_of
from workers.settings import Settings
from workers.surroundings.clocks import compare_clocks
from workers.surroundings.finding import MISSING, OK, WARNING, Away, Finding
from workers.surroundings.permissions import try_permissions, wanted

__all__ = ["look_at_broker"]

#: The first with ZRANGE ... BYSCORE REV, with which Celery's transport finds messages that are to be delivered again.
OLDEST = (6, 2)
#: Part of the memory from which on it is told.
FULL = 0.9

SET = "set {0} in its configuration, and for now: CONFIG SET {0}"


def look_at_broker(settings: Settings, patience: float = 5) -> Iterator[Finding]:
    """Ask the broker that the settings name; ``patience``: seconds for each answer.

    Raises:
        Away: it does not answer, or is still reading its data.
    """
    database = client(settings.broker_url, settings.trust, patience)
    try:
        yield from _look(database, settings)
    except redis.RedisError as error:
        refused = isinstance(error, redis.AuthenticationError)  # which is a ConnectionError too
        if isinstance(error, (redis.ConnectionError, redis.TimeoutError)) and not refused:
            raise Away(_told(error)) from None
        yield Finding("Broker", MISSING, _told(error), "correct MSK_BROKER_URL, or the broker")
    finally:
        database.close()


def _look(database: Any, settings: Settings) -> Iterator[Finding]:
    _allowed(database.ping)
    information = _allowed(database.info)
    yield Finding("Broker", OK, _version(information) if information else "answers")
    address = BrokerUrl.of(settings.broker_url)
    user = address.user or "default"
    lacking, refusal = try_permissions(database, settings.key_prefix, address.database)
    if lacking:
        # Who has no user of its own shares one with others, which is left as it is.
        own = user if address.user else "msk on >PASSWORD"
        fix = wanted(own, settings.key_prefix, address.database)
        yield Finding("Broker's permissions", MISSING, f"the user {user!r} lacks {' '.join(lacking)}", fix)
    else:
        yield Finding("Broker's permissions", OK, f"the user {user!r} may do all that is needed")
    if information is None:
        detail = f"the user {user!r} may not ask (INFO): version, eviction, persistence and memory cannot be seen"
        yield Finding("Broker's state", WARNING, detail, f"ACL SETUSER {user} +info")
    else:
        yield from _state(database, information)
    if refusal:
        yield _refuses(refusal)
    if asked := _allowed(database.time):
        cost = "what other hosts work on is delivered again too early or too late, and times are shown wrongly"
        yield compare_clocks("Broker's clock", asked[0] + asked[1] / 1e6, time.time(), cost)


def _allowed(ask: Any, *arguments: str) -> Any:
    """The answer; None where this user may not use the command, or the provider of the server has taken it away."""
    try:
        return ask(*arguments)
    except redis.exceptions.NoPermissionError:
        return None
    except redis.ResponseError as error:
        if "unknown command" in str(error):
            return None
        raise


def _version(information: Mapping[str, Any]) -> str:
    name = information.get("server_name", "redis")
    return f"{name.capitalize()} {information.get(f'{name}_version', information.get('redis_version', '?'))}"


def _state(database: Any, information: Mapping[str, Any]) -> Iterator[Finding]:
    """What INFO tells."""
    version = re.match(r"(\d+)\.(\d+)", str(information.get("redis_version", "")))
    if version and (int(version[1]), int(version[2])) < OLDEST:
        detail = f"{version[0]}: Celery cannot find in it what is to be delivered again"
        yield Finding("Broker's version", MISSING, detail, "upgrade it to Redis 6.2 or Valkey, or newer")
    if information.get("cluster_enabled"):
        detail = "a cluster, which takes no command on several keys at once, as Celery has them for its queues"
        yield Finding(
            "Broker's cluster", MISSING, detail, "name a server that is no cluster; sentinels may watch over it"
        )
    yield _eviction(information)
    yield _persistence(database, information)
    most = information.get("maxmemory") or information.get("total_system_memory")
    used = information.get("used_memory", 0)
    if most and used > FULL * most:
        detail = f"{used / 1e6:.0f} of {most / 1e6:.0f} MB are used; when it is full, no event and no job is accepted"
        yield Finding("Broker's memory", WARNING, detail, "give it more (maxmemory), or remove what others keep in it")


def _eviction(information: Mapping[str, Any]) -> Finding:
    policy, most = information.get("maxmemory_policy", "noeviction"), information.get("maxmemory")
    name = "Broker's eviction"
    if policy == "noeviction":
        return Finding(name, OK, policy)
    if policy.startswith("volatile"):
        cost = "leases, locks and marks of messages that are worked on, so that work is done twice"
    else:
        cost = "radiographs that wait, which are labelled late then, and training jobs, which are gone"
    when = f"above {most / 1e6:.0f} MB it drops" if most else "once it has a limit (maxmemory) it drops"
    return Finding(name, WARNING, f"{policy}: {when} {cost}", SET.format("maxmemory-policy noeviction"))


def _persistence(database: Any, information: Mapping[str, Any]) -> Finding:
    name, fix = "Broker's persistence", SET.format("appendonly yes")
    if information.get("aof_enabled"):
        return Finding(name, OK, "append-only file")
    lost = "training jobs and the sweep's place, so that radiographs that waited are found again hours later"
    configured = _allowed(database.config_get, "save")
    if configured is None:
        detail = f"no append-only file, and whether there are snapshots cannot be seen; a restart may lose {lost}"
    elif configured.get("save"):
        detail = f"snapshots alone: a crash loses what came after the last one: {lost}"
    else:
        detail = f"none: a restart loses {lost}"
    return Finding(name, WARNING, detail, fix)


def _refuses(refusal: redis.ResponseError) -> Finding:
    """Writes are refused now, with the broker's own reason: for good by a replica, otherwise until it is put right."""
    replica = isinstance(refusal, redis.exceptions.ReadOnlyError)
    fix = "name the primary in MSK_BROKER_URL" if replica else "what it names; the labeller goes on by itself"
    detail = f"{_told(refusal)}. No event and no job is accepted"
    return Finding("Broker's writes", MISSING if replica else WARNING, detail, fix)


def _told(error: redis.RedisError) -> str:
    return sentence_of(error) or str(error)
