"""The ledger on a real Valkey."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.broker import valkey
from workers.broker.queues import BACKFILL, LABEL
from workers.ledger import Ledger


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def ledger(broker_url: str) -> Ledger:
    redis.Redis.from_url(broker_url).flushall()
    return Ledger(broker_url)


def ids(count: int) -> list[str]:
    return [f"instance-{number:05}" for number in range(count)]


def claimed(ledger: Ledger, owner: str, *instance_ids: str, limit: int = 16, queue: str = LABEL) -> list[str]:
    return [claim.instance_id for claim in ledger.claim(owner, queue, instance_ids, limit)]


def test_an_instance_accepted_twice_is_one_entry(ledger: Ledger) -> None:
    assert ledger.open(["a", "b"], LABEL) == 2
    assert ledger.open(["b", "c"], LABEL) == 1
    assert ledger.depth() == {LABEL: 3, BACKFILL: 0, "leased": 0}


def test_entries_by_the_thousand_are_accepted_in_one_call(ledger: Ledger) -> None:
    assert ledger.open(ids(20_000), BACKFILL) == 20_000
    assert ledger.holds(ids(20_000)) == set(ids(20_000))


def test_a_run_gets_what_its_message_names_and_a_share_of_what_waits(ledger: Ledger) -> None:
    ledger.open(ids(41), LABEL)
    taken = claimed(ledger, "run", "instance-00040")
    assert taken[0] == "instance-00040"
    assert taken[1:] == ids(10), "a quarter of the forty others, oldest first"


def test_no_instance_is_claimed_by_two_runs(ledger: Ledger) -> None:
    ledger.open(ids(500), LABEL)
    with ThreadPoolExecutor(8) as pool:
        chunks = pool.map(lambda number: claimed(ledger, f"run-{number}"), range(200))
        taken = [instance_id for chunk in chunks for instance_id in chunk]
    assert sorted(taken) == sorted(ids(500))


def test_a_redelivered_run_gets_what_it_held_when_it_was_killed(ledger: Ledger) -> None:
    ledger.open(ids(8), LABEL)
    first = claimed(ledger, "run", "instance-00007")
    assert set(claimed(ledger, "other")).isdisjoint(first)
    assert set(first) <= set(claimed(ledger, "run", "instance-00007"))


def test_attempts_survive_the_death_of_the_run(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    for attempt in (1, 2, 3):
        (claim,) = ledger.claim("run", LABEL, ["a"], 1)
        assert claim.attempts == attempt - 1
        assert ledger.begin("run", "a") == attempt


def test_an_attempt_that_failed_through_no_fault_of_the_instance_does_not_count(ledger: Ledger) -> None:
    ledger.open(["begun", "untouched"], LABEL)
    claimed(ledger, "run", "begun", "untouched")
    ledger.begin("run", "begun")
    assert ledger.release("run", delay=0, blameless=True) == 2
    assert {c.attempts for c in ledger.claim("next", LABEL, ["begun", "untouched"], 2)} == {0}


def test_an_entry_released_with_a_delay_is_not_due_before(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    ledger.release("run", delay=60, blameless=False)
    assert ledger.due(LABEL, 10) == []
    assert ledger.holds(["a"]) == {"a"}


def test_an_instance_stored_anew_while_it_is_worked_on_waits_again_after(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    ledger.open(["a"], LABEL)
    assert not ledger.close("run", "a")
    assert claimed(ledger, "next", "a") == ["a"]
    assert ledger.close("next", "a")
    assert ledger.holds(["a"]) == set()


def test_only_its_holder_begins_or_closes_an_entry(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    assert ledger.begin("stranger", "a") == 0
    assert not ledger.close("stranger", "a")
    assert ledger.holds(["a"]) == {"a"}


def test_a_new_study_overtakes_its_own_place_in_the_archive(ledger: Ledger) -> None:
    ledger.open(["a", "b"], BACKFILL)
    ledger.open(["a"], LABEL)
    assert ledger.due(LABEL, 10) == ["a"]
    assert ledger.due(BACKFILL, 10) == ["b"]


def test_an_entry_whose_lease_expired_is_due_again(ledger: Ledger, broker_url: str) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    redis.Redis.from_url(broker_url).zadd("msk:leased", {"a": 0})
    assert ledger.due(LABEL, 10) == ["a"]
    assert ledger.begin("run", "a") == 0, "the run that was too slow has lost it"


@pytest.fixture
def database(broker_url: str) -> "redis.Redis[str]":
    return redis.Redis.from_url(broker_url, decode_responses=True)


def test_failures_of_its_own_are_counted_apart_from_deaths_of_the_worker(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    for number, blamed in enumerate((True, False, True)):
        claimed(ledger, "run", "a")
        ledger.begin("run", "a")
        assert ledger.postpone("run", "a", delay=0, reason=f"reason {number}", blamed=blamed)
    (claim,) = ledger.claim("next", LABEL, ["a"], 1)
    assert (claim.attempts, claim.failures) == (0, 2)
    assert ledger.entries(["a", "b"])["a"].reason == "reason 2"
    assert not ledger.postpone("run", "a", delay=0, reason="", blamed=True), "it is another run's by now"


def test_a_failed_entry_stays_until_it_is_opened(ledger: Ledger) -> None:
    ledger.open(["a", "b"], LABEL)
    claimed(ledger, "run", "a", "b")
    assert ledger.fail("run", "a", "it cannot be written")
    ledger.close("run", "b")
    assert ledger.entries(["a", "b"])["a"].failed
    assert sum(ledger.depth().values()) == 0
    assert claimed(ledger, "next", "a") == []
    assert ledger.failed_before(0) == []
    assert ledger.failed_before(10**10) == ["a"]
    ledger.open(["a"], BACKFILL)
    assert ledger.due(BACKFILL, 1) == ["a"]
    assert ledger.failed_before(10**10) == []
    (claim,) = ledger.claim("next", BACKFILL, ["a"], 1)
    assert (claim.attempts, claim.failures) == (0, 0)


def test_what_is_stored_anew_while_it_fails_waits_again(ledger: Ledger) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    ledger.open(["a"], LABEL)
    assert not ledger.fail("run", "a", "it cannot be written")
    assert ledger.due(LABEL, 1) == ["a"]
    assert not ledger.entries(["a"])["a"].failed


def test_an_identifier_whose_entry_was_evicted_is_claimed_all_the_same(
    ledger: Ledger, database: "redis.Redis[str]"
) -> None:
    ledger.open(["waits", "leased"], BACKFILL)
    claimed(ledger, "run", "leased", limit=1, queue=BACKFILL)
    database.delete("msk:entry:waits", "msk:entry:leased")
    database.zadd("msk:leased", {"leased": 0})
    assert sorted(claimed(ledger, "next", queue=BACKFILL)) == ["leased", "waits"]
    for each in ("leased", "waits"):
        assert ledger.begin("next", each) == 1
        assert ledger.close("next", each)
    assert database.keys("msk:*") == ["msk:owner:run"], "what the earlier run held, which it may still ask for"


@pytest.mark.parametrize("ends", ["close", "postpone", "fail", "release"])
def test_a_run_whose_entry_was_evicted_ends_its_work(ledger: Ledger, database: "redis.Redis[str]", ends: str) -> None:
    ledger.open(["a"], LABEL)
    claimed(ledger, "run", "a")
    ledger.begin("run", "a")
    database.delete("msk:entry:a")
    if ends == "close":
        assert ledger.close("run", "a")
    elif ends == "postpone":
        assert ledger.postpone("run", "a", delay=0, reason="", blamed=True)
    elif ends == "fail":
        assert ledger.fail("run", "a", "")
    else:
        assert ledger.release("run", delay=0, blameless=False) == 1
    expected = {"close": 0, "postpone": 1, "fail": 0, "release": 1}
    assert ledger.depth() == {LABEL: expected[ends], BACKFILL: 0, "leased": 0}


@pytest.mark.parametrize("lost", ["msk:waiting:label", "msk:leased", "msk:failed", "msk:owner:run"])
def test_an_entry_that_the_sets_have_lost_is_put_back(ledger: Ledger, database: "redis.Redis[str]", lost: str) -> None:
    ledger.open(["leased", "failed"], LABEL)
    claimed(ledger, "run", "leased", "failed")
    ledger.fail("run", "failed", "it cannot be written")
    ledger.open(["waits"], LABEL)
    database.delete(lost)
    while ledger.mend():
        pass
    database.zadd("msk:leased", {"leased": 0}, xx=True)
    assert set(ledger.due(LABEL, 10)) == {"leased", "waits"}
    assert ledger.failed_before(10**10) == ["failed"]


def test_mending_goes_through_all_entries_whatever_else_the_database_holds(
    ledger: Ledger, database: "redis.Redis[str]"
) -> None:
    with database.pipeline(transaction=False) as pipe:
        for number in range(30_000):
            pipe.set(f"another:{number}", "x")
        pipe.execute()
    ledger.open(ids(5000), BACKFILL)
    database.delete(f"msk:waiting:{BACKFILL}")
    assert sum(ledger.mend() for _ in range(10)) == 5000
    assert ledger.depth()[BACKFILL] == 5000
