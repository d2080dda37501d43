"""What an earlier version left in the broker is taken along; what others have there under the same names stays."""

import json
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from celery import Celery

from tests.broker import valkey
from workers.broker.celery_app import publisher
from workers.broker.former_names import take_along
from workers.broker.messages import hint, hint_jobs
from workers.broker.queues import BACKFILL, LABEL, LABEL_TASK, MAINTENANCE, SWEEP_TASK, TRAIN, TRAIN_TASK
from workers.settings import KEY_PREFIX, Settings

QUEUES = (LABEL, BACKFILL, TRAIN, MAINTENANCE)


class Site:
    """A broker that both versions use, and a neighbour."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = redis.Redis.from_url(url, decode_responses=True)

    @property
    def settings(self) -> Settings:
        return Settings(
            MSK_ORTHANC_URL="http://pacs:8042",
            MSK_ORTHANC_USER="msk",
            MSK_ORTHANC_PASSWORD="x",  # nothing asks Orthanc here
            MSK_BROKER_URL=self.url,
        )

    def before(self, **options: str) -> Celery:
        """Our application as it was: with the names that Celery chooses."""
        app = publisher(self.settings)
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "global_keyprefix": "", **options}
        return app

    def take(self, app: Celery, queue: str) -> None:
        """Take a message and die before it is acknowledged."""
        with app.connection_for_read() as connection:
            channel = connection.channel()
            assert app.amqp.queues[queue](channel).get()
            channel.qos.restore_at_shutdown = False  # as where the process is killed

    def tasks(self, queue: str) -> list[str]:
        """What waits in a queue under its name of now, the next one first."""
        found = reversed(self.database.lrange(f"{KEY_PREFIX}{queue}", 0, -1))
        return [json.loads(message)["headers"]["task"] for message in found]

    def instances(self, queue: str) -> list[list[str]]:
        """What the messages of a queue name, the next one first."""
        found = reversed(self.database.lrange(f"{KEY_PREFIX}{queue}", 0, -1))
        return [json.loads(b64decode(json.loads(message)["body"]))[0][0] for message in found]

    def former(self) -> set[str]:
        """Keys under former names, but for the transport's own tables."""
        return {key for key in self.database.scan_iter() if not key.startswith((KEY_PREFIX, "_kombu.", "msk:"))}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def site(broker: str) -> Site:
    site = Site(broker)
    site.database.flushall()
    return site


def test_what_waits_and_what_was_taken_moves_in_its_order(site: Site) -> None:
    app = site.before()
    for number in range(3):
        hint(app, [f"new-{number}"], LABEL)
    hint(app, ["old"], BACKFILL)
    hint_jobs(app, 1)
    app.send_task(SWEEP_TASK, queue=MAINTENANCE)
    site.take(app, LABEL)
    train = site.before(
        unacked_key="unacked.train", unacked_index_key="unacked_index.train", unacked_mutex_key="unacked_mutex.train"
    )
    hint_jobs(train, 1)
    site.take(train, TRAIN)

    assert take_along(site.settings, QUEUES) == 7

    assert site.former() == set()
    assert site.instances(LABEL) == [["new-1"], ["new-2"], ["new-0"]]
    assert site.tasks(BACKFILL) == [LABEL_TASK]
    assert site.tasks(TRAIN) == [TRAIN_TASK, TRAIN_TASK]
    assert site.tasks(MAINTENANCE) == [SWEEP_TASK]
    assert take_along(site.settings, QUEUES) == 0


def test_nothing_moves_for_which_no_worker_of_now_is_there(site: Site) -> None:
    hint(site.before(), ["instance"], LABEL)
    hint(site.before(), ["taken"], LABEL)
    site.take(site.before(), LABEL)
    assert take_along(site.settings, (TRAIN, MAINTENANCE)) == 0
    assert take_along(site.settings, (LABEL,)) == 2


def test_a_message_that_moved_is_delivered(site: Site) -> None:
    hint(site.before(), ["instance"], LABEL)
    take_along(site.settings, QUEUES)
    app = publisher(site.settings)
    with app.connection_for_read() as connection:
        message = app.amqp.queues[LABEL](connection.channel()).get()
        assert message.payload[0] == [["instance"], LABEL]
        message.ack()


def test_another_application_keeps_what_it_has_under_the_same_names(site: Site) -> None:
    neighbour = Celery("neighbour", broker=site.url, set_as_current=False)
    for queue in (LABEL, TRAIN):
        neighbour.send_task("other.task", (1,), queue=queue)
        neighbour.send_task("msk.of-another", (2,), queue=queue)
    with neighbour.connection_for_read() as connection:
        channel = connection.channel()
        channel.basic_get(TRAIN)
        channel.qos.restore_at_shutdown = False
    site.database.lpush(LABEL, b"\xff\xfe no message", "[]", "null", '{"headers": null}')
    site.database.hset("unacked", "tag", b"\xff")
    hint(site.before(), ["ours"], LABEL)
    before = {key: kept(site, key) for key in site.former()}
    before[LABEL] = before[LABEL][1:]  # ours came last

    assert take_along(site.settings, QUEUES) == 1

    assert {key: kept(site, key) for key in site.former()} == before
    assert site.tasks(LABEL) == [LABEL_TASK]


def kept(site: Site, key: str) -> Any:
    raw = redis.Redis.from_url(site.url)
    read = {"list": lambda: raw.lrange(key, 0, -1), "hash": lambda: raw.hgetall(key)}
    return read.get(raw.type(key).decode(), lambda: raw.zrange(key, 0, -1, withscores=True))()


def test_names_that_are_something_else_of_somebody_elses_are_left_alone(site: Site) -> None:
    site.database.set(LABEL, "a word")
    site.database.hset(TRAIN, "wagon", "1")
    site.database.set("unacked", "a word")
    assert take_along(site.settings, QUEUES) == 0
    assert site.former() == {LABEL, TRAIN, "unacked"}


def test_two_at_once_move_each_message_once(site: Site) -> None:
    app = site.before()
    for number in range(300):
        hint(app, [str(number)], LABEL)
    with ThreadPoolExecutor(2) as pool:
        moved = list(pool.map(lambda _: take_along(site.settings, QUEUES), range(2)))
    assert sum(moved) == 300
    assert site.database.llen(f"{KEY_PREFIX}{LABEL}") == 300


def test_a_user_who_may_not_see_the_former_names_has_nothing_there(site: Site) -> None:
    hint(site.before(), ["of before"], LABEL)
    site.database.execute_command("ACL", "SETUSER", "msk", "on", ">secret", f"~{KEY_PREFIX}*", "~msk:*", "+@all")
    site.url = site.url.replace("redis://", "redis://msk:secret@")
    assert take_along(site.settings, QUEUES) == 0
