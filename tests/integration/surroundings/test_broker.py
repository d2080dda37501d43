"""What is found out about a broker: a real Valkey, with other options and users."""

import re
from typing import Any

import pytest

from tests.integration.surroundings.conftest import as_user
from tests.servers import ROOT, free_port
from workers.settings import KEY_PREFIX, Settings
from workers.surroundings import MISSING, WARNING, Away, Finding
from workers.surroundings.broker import look_at_broker
from workers.surroundings.permissions import WITH_CHANNEL, WITH_KEY, WITH_NEITHER, wanted


def settings(url: str) -> Settings:
    return Settings.from_environment(
        {
            "MSK_ORTHANC_URL": "http://127.0.0.1:9",
            "MSK_ORTHANC_USER": "msk",
            "MSK_ORTHANC_PASSWORD": "x",
            "MSK_BROKER_URL": url,
        }
    )


def ill(url: str) -> dict[str, Finding]:
    """What is not well, by name."""
    return {found.name: found for found in look_at_broker(settings(url)) if found.fix}


def test_a_broker_as_it_should_be_is_well(broker: Any, url: str) -> None:
    assert not ill(url)
    assert not broker.dbsize()  # nothing was written to find out


def test_eviction_is_told_with_what_it_drops_and_the_command_that_ends_it(broker: Any, url: str) -> None:
    broker.config_set("maxmemory", 100_000_000)
    broker.config_set("maxmemory-policy", "allkeys-lru")
    found = ill(url)["Broker's eviction"]
    assert found.status == WARNING
    assert found.detail.startswith("allkeys-lru: above 100 MB it drops radiographs that wait")
    assert "CONFIG SET maxmemory-policy noeviction" in found.fix
    broker.config_set("maxmemory-policy", "volatile-ttl")
    assert "it drops leases" in ill(url)["Broker's eviction"].detail


def test_what_a_restart_would_lose_is_told(broker: Any, url: str) -> None:
    broker.config_set("appendonly", "no")
    broker.config_set("save", "")
    assert ill(url)["Broker's persistence"].detail.startswith("none: a restart loses training jobs")
    broker.config_set("save", "3600 1")
    assert ill(url)["Broker's persistence"].detail.startswith("snapshots alone: a crash loses")


def test_memory_that_is_full_is_told_before_and_after_writes_are_refused(broker: Any, url: str) -> None:
    broker.config_set("maxmemory", int(broker.info("memory")["used_memory"] * 1.05))
    assert "Broker's memory" in ill(url)
    broker.config_set("maxmemory", 1)
    assert "its memory is full" in ill(url)["Broker's writes"].detail


def test_a_read_only_replica_is_no_broker(broker: Any, url: str) -> None:
    broker.replicaof("127.0.0.1", free_port())
    assert ill(url)["Broker's writes"].status == MISSING


def test_a_user_who_may_use_other_keys_only_is_told_which_are_lacking(broker: Any, url: str) -> None:
    found = ill(as_user(broker, url, "~other:*", "&other:*", "+@all"))
    channels = f"&{KEY_PREFIX}/0.celery.pidbox &{KEY_PREFIX}/0.celeryev/worker.*"
    assert found["Broker's permissions"].detail == f"the user 'narrow' lacks ~msk:* ~{KEY_PREFIX}* {channels}"
    assert found["Broker's permissions"].status == MISSING


@pytest.mark.parametrize("lacking", ["+brpop", "+script|load", "+exec", "+multi", "+publish", "+zscore"])
def test_a_command_that_a_user_lacks_is_named_and_nothing_is_done_to_find_out(
    broker: Any, url: str, lacking: str
) -> None:
    found = ill(as_user(broker, url, "~*", "&*", "+@all", lacking.replace("+", "-")))
    assert found["Broker's permissions"].detail == f"the user 'narrow' lacks {lacking}"
    assert not broker.dbsize()


def test_the_rules_that_are_shown_and_documented_are_enough(broker: Any, url: str) -> None:
    documented = re.search(r"ACL SETUSER msk on >PASSWORD .*", (ROOT / "docs" / "operating.md").read_text())
    assert documented is not None
    assert documented[0] == wanted("msk on >PASSWORD", KEY_PREFIX, 0)
    assert not ill(as_user(broker, url, *documented[0].split()[5:]))


def test_what_a_provider_or_a_user_may_not_see_is_not_claimed(broker: Any, url: str) -> None:
    broker.config_set("appendonly", "no")
    rules = wanted("narrow", KEY_PREFIX, 0).split()[3:]
    assert (
        "whether there are snapshots cannot be seen" in ill(as_user(broker, url, *rules))["Broker's persistence"].detail
    )
    found = ill(as_user(broker, url, *rules, "-info"))
    assert set(found) == {"Broker's state"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("//", "//narrow:wrong@"), "the broker refuses user or password"),
        (("/0", "/99"), "the broker has fewer databases than MSK_BROKER_URL asks for"),
    ],
)
def test_an_address_that_is_refused_is_told_from_a_broker_that_is_away(
    broker: Any, url: str, change: tuple[str, str], reason: str
) -> None:
    as_user(broker, url)
    found = ill(url.replace(*change))["Broker"]
    assert found.status == MISSING
    assert found.detail.startswith(reason)
    with pytest.raises(Away):
        ill(f"redis://127.0.0.1:{free_port()}/0")


def test_every_command_of_our_scripts_is_tried() -> None:
    tried = {command[0] for command in (*WITH_KEY, *WITH_CHANNEL, *WITH_NEITHER)}
    scripts = [path for path in (ROOT / "workers").rglob("*.lua") if path.name != "former_names.lua"]
    used = {name for path in scripts for name in re.findall(r"redis\.call\('([A-Z]+)'", path.read_text())}
    assert used
    assert used <= tried
