"""Takes along what waits under the names that Celery's keys had before they got a prefix.

Every message is a hint, so none is missed for good; but moved, it is worked on at once, and nothing of ours is left in
a database that others use. Another application's messages stay where they are, also in a list of the same name.

A message moves atomically, and one that is delivered twice does no harm. So this may be killed at any time, run in
several processes, and be repeated for as long as processes of before still run and write under the former names.
The transport's `_kombu.binding.*` are left: without them, a publisher of before or a neighbour would lose messages.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.exceptions import NoPermissionError

from workers.broker.database import connect
from workers.broker.queues import INSTANCE_QUEUES, LABEL_TASK, MAINTENANCE, SWEEP_TASK, TRAIN, TRAIN_TASK
from workers.settings import Settings

__all__ = ["take_along"]

QUEUES = (*INSTANCE_QUEUES, TRAIN, MAINTENANCE)
TASKS = {LABEL_TASK, SWEEP_TASK, TRAIN_TASK}
#: Suffixes of the keys that held messages taken by a worker and not acknowledged.
UNACKED = ("", ".train")
PAGE = 1000
ANSWER_SECONDS = 30

log = logging.getLogger(__name__)


def take_along(settings: Settings) -> int:
    """Move our messages to the names of now; returns how many. Raises `redis.RedisError` without the database."""
    database, call = connect(
        settings.broker_url, settings.trust, Path(__file__).with_name("former_names.lua"), ANSWER_SECONDS
    )
    with database, suppress(NoPermissionError):  # a user who may not see the former names has nothing there
        moved = sum(
            int(call("waiting", queue, settings.key_prefix + queue, message))
            for queue in QUEUES
            for message in _waiting(database, queue)
        )
        moved += sum(
            int(call("unacked", suffix, tag, settings.key_prefix + queue, message))
            for suffix in UNACKED
            for tag, queue, message in _unacked(database, suffix)
        )
        if moved:
            log.info("former-names-left messages=%d", moved)
        return moved
    return 0


def _waiting(database: Any, queue: str) -> Iterator[str]:
    """Our messages in a list, the one to be taken next first."""
    if database.type(queue) != "list":  # so short a name may be anything of anybody's
        return
    # Page by page from the end that workers take from. What moves shortens the list there, what comes is put elsewhere.
    stayed = 0
    while page := database.lrange(queue, -stayed - PAGE, -stayed - 1):
        for text in reversed(page):
            if _is_ours(_parsed(text)):
                yield text
            else:
                stayed += 1


def _unacked(database: Any, suffix: str) -> Iterator[tuple[str, str, str]]:
    """Tag, queue and text of our messages that were not acknowledged."""
    if database.type(f"unacked{suffix}") != "hash":
        return
    for tag, text in database.hscan_iter(f"unacked{suffix}"):
        match _parsed(text):
            case [message, _, str(queue)] if _is_ours(message) and queue in QUEUES:
                yield tag, queue, json.dumps(message)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_ours(message: Any) -> bool:
    match message:
        case {"headers": {"task": str(task)}}:
            return task in TASKS
    return False
