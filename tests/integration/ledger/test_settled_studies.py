"""Studies that wait for a second look, on a real Valkey."""

import time
from collections.abc import Iterator

import pytest
import redis

from tests.broker import valkey
from workers.broker.queues import LABEL
from workers.ledger import Ledger

UNSETTLED = "msk:unsettled"


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def database(broker_url: str) -> "redis.Redis[str]":
    database = redis.Redis.from_url(broker_url, decode_responses=True)
    database.flushall()
    return database


@pytest.fixture
def ledger(broker_url: str) -> Ledger:
    return Ledger(broker_url)


def label(ledger: Ledger, instance_id: str, study: str) -> None:
    ledger.open([instance_id], LABEL)
    ledger.claim("run", LABEL, [instance_id], 1)
    ledger.close("run", instance_id, labelled=True, study=study)


def let_time_pass(database: "redis.Redis[str]") -> None:
    """As if every study had been quiet, and every lease had run out, long ago."""
    for study in database.zrange(UNSETTLED, 0, -1):
        database.zadd(UNSETTLED, {study: 1}, xx=True)
    time.sleep(0.002)  # leases are told apart by the millisecond


def test_a_study_is_taken_once_it_is_quiet(ledger: Ledger, database: "redis.Redis[str]") -> None:
    label(ledger, "a", "study")
    label(ledger, "b", "study")
    assert (ledger.settled(), ledger.take_settled(10)) == ((0, 0.0), [])
    let_time_pass(database)
    count, waited = ledger.settled()
    assert (count, waited > 1000) == (1, True)
    ((study, lease),) = ledger.take_settled(10)
    assert (study, ledger.take_settled(10)) == ("study", []), "it is leased"
    assert ledger.forget_study(study, lease)
    let_time_pass(database)
    assert ledger.take_settled(10) == []


def test_a_study_that_grew_meanwhile_is_looked_at_again(ledger: Ledger, database: "redis.Redis[str]") -> None:
    label(ledger, "a", "study")
    let_time_pass(database)
    ((study, lease),) = ledger.take_settled(10)
    label(ledger, "b", "study")
    assert not ledger.forget_study(study, lease)
    let_time_pass(database)
    assert [study for study, _ in ledger.take_settled(10)] == ["study"]


def test_a_study_whose_worker_died_is_taken_by_another(ledger: Ledger, database: "redis.Redis[str]") -> None:
    label(ledger, "a", "study")
    let_time_pass(database)
    ((study, of_the_dead),) = ledger.take_settled(10)
    let_time_pass(database)
    ((again, lease),) = ledger.take_settled(10)
    assert again == study
    assert not ledger.forget_study(study, of_the_dead), "it came back late"
    assert ledger.forget_study(study, lease)


def test_what_was_not_labelled_or_belongs_to_no_study_needs_no_second_look(
    ledger: Ledger, database: "redis.Redis[str]"
) -> None:
    label(ledger, "a", "")
    ledger.open(["b"], LABEL)
    assert not ledger.close("stranger", "b", labelled=True, study="study")
    assert database.zcard(UNSETTLED) == 0
