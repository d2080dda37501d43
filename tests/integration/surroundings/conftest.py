"""A broker that the tests of this folder share, and put back as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.broker import valkey


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def broker(url: str) -> Iterator[Any]:
    """It, empty; options and users are put back."""
    with redis.Redis.from_url(url, decode_responses=True) as database:
        database.flushall()
        before = {name: database.config_get(name)[name] for name in ("maxmemory", "appendonly", "save")}
        yield database
        database.replicaof("NO", "ONE")
        database.config_set("maxmemory-policy", "noeviction")
        for name, value in before.items():
            database.config_set(name, value)


def as_user(broker: Any, url: str, *rules: str) -> str:
    """The address as a user with these rules has it."""
    broker.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">pw", *rules)
    return url.replace("//", "//narrow:pw@")
