"""Takes along what waits under the names that Celery's keys had before they got a prefix.

Every message is a hint, so none is missed for good; but moved, it is worked on at once, and nothing of ours is left in
a database that others use. Another application's messages stay where they are, also in a list of the same name.

Whoever takes from a queue takes along for it, again and again: so processes of before may still run beside it, and what
they write under the former names is not stranded. A message moves atomically, and one that is delivered twice does no
harm; so this may be killed at any time, and run in several processes.

The transport's `_kombu.binding.*` are left: without them, a publisher of before or a neighbour would lose messages.
"""

import json
import logging
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.exceptions import NoPermissionError, RedisError

from workers.broker.database import connect
from workers.broker.queues import LABEL_TASK, SWEEP_TASK, TRAIN_TASK
from workers.settings import Settings

__all__ = ["keep_taking_along", "take_along"]

TASKS = {LABEL_TASK, SWEEP_TASK, TRAIN_TASK}
#: Suffixes of the keys that held messages taken by a worker and not acknowledged.
UNACKED = ("", ".train")
PAGE = 1000
ANSWER_SECONDS = 30

log = logging.getLogger(__name__)


def keep_taking_along(settings: Settings, queues: Collection[str]) -> None:
    """Take along what waits for these queues, now and every `sweep_seconds`, until this process ends."""

    def forever() -> None:
        while True:
            with suppress(RedisError):  # the worker itself says that the broker is away
                take_along(settings, queues)
            time.sleep(settings.sweep_seconds)

    threading.Thread(target=forever, name="former-names", daemon=True).start()


def take_along(settings: Settings, queues: Collection[str]) -> int:
    """Move our messages in these queues to the names of now; returns how many.

    Raises:
        redis.RedisError: the database cannot be reached.
    """
    database, call = connect(
        settings.broker_url, settings.trust, Path(__file__).with_name("former_names.lua"), ANSWER_SECONDS
    )
    with database, suppress(NoPermissionError):  # a user who may not see the former names has nothing there
        moved = sum(
            int(call("waiting", queue, settings.key_prefix + queue, message))
            for queue in queues
            for message in _waiting(database, queue)
        )
        moved += sum(
            int(call("unacked", suffix, tag, settings.key_prefix + queue, message))
            for suffix in UNACKED
            for tag, queue, message in _unacked(database, suffix)
            if queue in queues
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
            case [message, _, str(queue)] if _is_ours(message):
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
