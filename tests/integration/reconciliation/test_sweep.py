"""Sweep and audit on a real Orthanc and a real Valkey, without a worker."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import redis
import requests
from celery import Celery

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from tests.broker import valkey
from tests.servers import Orthanc, running_orthanc
from workers.broker.celery_app import publisher
from workers.broker.queues import BACKFILL, LABEL
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import LABEL_METADATA, LABELLED, PREDICTION, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient, OrthancRefused
from workers.reconciliation import sweep
from workers.reconciliation.audit import audit
from workers.reconciliation.relabelling import Wanted, relabel
from workers.settings import KEY_PREFIX, Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def orthanc(server: Orthanc) -> Iterator[OrthancClient]:
    """An Orthanc without any instance."""
    client = OrthancClient(server.url, server.user, server.password)
    for instance_id in client.instance_ids(0, 100_000):
        requests.delete(f"{server.url}/instances/{instance_id}", auth=(server.user, server.password), timeout=10)
    yield client
    client.close()


@pytest.fixture
def ledger(broker_url: str) -> Ledger:
    redis.Redis.from_url(broker_url).flushall()
    return Ledger(broker_url)


@pytest.fixture
def celery(server: Orthanc, broker_url: str) -> Celery:
    environment = server.access | {
        "MSK_BROKER_URL": broker_url,
    }
    return publisher(Settings.from_environment(environment))


def store(orthanc: OrthancClient, *names: str) -> list[str]:
    pixels = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    return [orthanc.upload(write_dx(pixels, header=Header(identity=name), bits=12)) for name in names]


def finish(orthanc: OrthancClient, ledger: Ledger, instance_id: str) -> None:
    """What a worker does at the end of its work."""
    ledger.claim("worker", LABEL, [instance_id], 1)
    orthanc.put_metadata(instance_id, PREDICTION, Outcome(LABELLED, "0" * 32, 1, label="knee_ap").to_json())
    ledger.close("worker", instance_id)


def test_the_sweep_finds_instances_that_the_webhook_missed(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery
) -> None:
    stored = store(orthanc, "a", "b", "c")
    sweep.run(celery, orthanc, ledger)
    assert ledger.holds(stored) == set(stored)
    assert ledger.messages(LABEL) >= 1


def test_the_sweep_leaves_alone_what_is_open_or_done(orthanc: OrthancClient, ledger: Ledger, celery: Celery) -> None:
    done, is_open = store(orthanc, "done", "open")
    enqueue(celery, ledger, [done, is_open], LABEL)
    finish(orthanc, ledger, done)
    before = ledger.messages(LABEL)
    assert sweep.run(celery, orthanc, ledger) == 0
    assert ledger.holds([done, is_open]) == {is_open}
    assert ledger.messages(LABEL) == before


def test_an_archive_waits_behind_what_is_stored_now(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "PAGE", 20)
    store(orthanc, *(f"archive-{number}" for number in range(30)))
    sweep.run(celery, orthanc, ledger)
    assert ledger.depth()[BACKFILL] == 30
    (new,) = store(orthanc, "new")
    sweep.run(celery, orthanc, ledger)
    assert ledger.due(LABEL, 10) == [new]


def test_an_instance_whose_message_got_lost_gets_a_new_hint(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, broker_url: str
) -> None:
    stored = store(orthanc, "a", "b")
    sweep.run(celery, orthanc, ledger)
    redis.Redis.from_url(broker_url).delete(f"{KEY_PREFIX}{LABEL}")
    assert sweep.run(celery, orthanc, ledger) == len(stored)
    assert ledger.messages(LABEL) == 1


def test_a_new_database_is_swept_from_its_beginning(orthanc: OrthancClient, ledger: Ledger, celery: Celery) -> None:
    stored = store(orthanc, "a")
    ledger.cursor = 10**9
    sweep.run(celery, orthanc, ledger)
    assert ledger.holds(stored) == set(stored)
    assert ledger.cursor < 10**9


def test_a_truth_whose_writer_died_is_shown_and_then_left_alone(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery
) -> None:
    known, none, scribbled = store(orthanc, "known", "none of them", "scribbled")
    for instance_id in (known, none, scribbled):
        orthanc.put_metadata(instance_id, LABEL_METADATA, "elbow_ap")
    sweep.run(celery, orthanc, ledger)
    for instance_id, label in ((known, "knee_ap"), (none, None)):
        said = Truth(Statement(label, "ann", "2026-01-01T00:00:00+00:00"))
        orthanc.replace_metadata(instance_id, TRUTH, None, said.to_json())
    orthanc.put_metadata(scribbled, TRUTH, "seen by Dr. Who")

    sweep.run(celery, orthanc, ledger)

    shown = [orthanc.metadata(instance_id).get(LABEL_METADATA) for instance_id in (known, none, scribbled)]
    assert shown == ["knee_ap", None, "elbow_ap"]
    sweep.run(celery, orthanc, ledger)
    before = ledger.cursor
    sweep.run(celery, orthanc, ledger)
    assert ledger.cursor == before, "what is shown is not written again"


def test_a_withdrawal_whose_writer_died_is_shown(orthanc: OrthancClient, ledger: Ledger, celery: Celery) -> None:
    (instance_id,) = store(orthanc, "withdrawn")
    orthanc.put_metadata(instance_id, PREDICTION, Outcome(LABELLED, "0" * 32, 1, label="elbow_ap").to_json())
    said = set_truth(orthanc, instance_id, "knee_ap", "ann", KEYS)
    withdrawn = said.followed_by(Statement(None, "ann", "2026-01-01T00:00:00+00:00", withdrawn=True))
    orthanc.put_metadata(instance_id, TRUTH, withdrawn.to_json())

    sweep.run(celery, orthanc, ledger)

    assert orthanc.metadata(instance_id)[LABEL_METADATA] == "elbow_ap"


def test_a_truth_that_orthanc_refuses_to_show_does_not_hold_up_others(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    (refused,) = store(orthanc, "refused")
    set_truth(orthanc, refused, "knee_ap", "ann", KEYS)
    sweep.run(celery, orthanc, ledger)
    orthanc.put_metadata(refused, LABEL_METADATA, "elbow_ap")
    (new,) = store(orthanc, "new")

    def turned_down(*_: object) -> None:
        raise OrthancRefused("not allowed")

    monkeypatch.setattr(orthanc, "put_metadata", turned_down)
    assert sweep.run(celery, orthanc, ledger) == 1
    assert sweep.run(celery, orthanc, ledger) == 0
    assert new in ledger.holds([new])


def test_two_sweeps_at_once_are_one(orthanc: OrthancClient, ledger: Ledger, celery: Celery) -> None:
    store(orthanc, "a")
    with ledger.exclusive("sweep", 30):
        assert sweep.run(celery, orthanc, ledger) == 0
    assert sweep.run(celery, orthanc, ledger) == 1


def test_the_audit_finds_instances_that_neither_the_ledger_nor_the_metadata_account_for(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.reconciliation.audit.GRACE_SECONDS", 0.5)
    done, waiting, lost = store(orthanc, "done", "waiting", "lost")
    enqueue(celery, ledger, [done, waiting], LABEL)
    finish(orthanc, ledger, done)
    result = audit(orthanc, ledger)
    assert (result.counts["labelled"], result.counts["queued"], result.counts["unaccounted"]) == (1, 1, 1)
    assert result.unaccounted == [lost]


def test_metadata_that_is_no_outcome_counts_as_no_outcome(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.reconciliation.audit.GRACE_SECONDS", 0.5)
    (scribbled,) = store(orthanc, "scribbled")
    orthanc.put_metadata(scribbled, PREDICTION, "knee, I think")
    assert audit(orthanc, ledger).unaccounted == [scribbled]
    sweep.run(celery, orthanc, ledger)
    assert ledger.holds([scribbled]) == {scribbled}


def test_what_the_broker_forgot_long_after_the_cursor_passed_is_found_by_the_walk(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "WALKED", 4)
    stored = store(orthanc, *(f"forgotten-{number}" for number in range(10)))
    sweep.run(celery, orthanc, ledger)
    for instance_id in stored[::2]:
        ledger.claim("worker", LABEL, [instance_id], 1)
        ledger.close("worker", instance_id)  # without an outcome: as if the entry had never been there
    for _ in range(4):
        sweep.run(celery, orthanc, ledger)
    assert ledger.holds(stored) == set(stored)


def test_what_orthanc_did_not_deliver_is_tried_again_after_a_day(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery, broker_url: str
) -> None:
    names = {"undelivered": True, "yesterday": True, "deadly": False, "here": True}
    undelivered, yesterday, deadly, here = store(orthanc, *names)
    for instance_id, retry in zip((undelivered, yesterday, deadly, here), names.values(), strict=True):
        days = "2026-01-01T00:00:00.000+00:00" if instance_id in (yesterday, deadly) else None
        outcome = Outcome("failed", "0" * 32, 5, reason="status 500", retry=retry)
        orthanc.put_metadata(
            instance_id, PREDICTION, replace(outcome, labelled_at=days or outcome.labelled_at).to_json()
        )
    enqueue(celery, ledger, [here], LABEL)
    ledger.claim("worker", LABEL, [here], 1)
    ledger.fail("worker", here, "status 500")
    for _ in range(3):
        sweep.run(celery, orthanc, ledger)
    assert set(ledger.due(BACKFILL, 10)) == {yesterday}
    redis.Redis.from_url(broker_url).zadd("msk:failed", {here: 0})
    sweep.run(celery, orthanc, ledger)
    assert set(ledger.due(BACKFILL, 10)) == {yesterday, here}


def test_a_failure_that_only_the_ledger_knows_is_audited_as_failed(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery
) -> None:
    (stored,) = store(orthanc, "unwritten")
    enqueue(celery, ledger, [stored], LABEL)
    ledger.claim("worker", LABEL, [stored], 1)
    ledger.postpone("worker", stored, delay=0, reason="status 507", blamed=True)
    assert audit(orthanc, ledger).reasons["queued"] == {"status 507": 1}
    ledger.claim("worker", LABEL, [stored], 1)
    ledger.fail("worker", stored, "Orthanc does not take its outcome")
    result = audit(orthanc, ledger)
    assert (result.counts["failed"], result.counts["queued"], result.failed) == (1, 0, [stored])
    assert result.reasons["failed"] == {"Orthanc does not take its outcome": 1}


def test_relabelling_what_failed_takes_it_from_metadata_and_ledger(
    orthanc: OrthancClient, ledger: Ledger, celery: Celery
) -> None:
    written, unwritten, done = store(orthanc, "written", "unwritten", "done")
    orthanc.put_metadata(written, PREDICTION, Outcome("failed", "0" * 32, 3, reason="died").to_json())
    finish_after = Outcome(LABELLED, "0" * 32, 1, label="knee_ap", model="old").to_json()
    orthanc.put_metadata(done, PREDICTION, finish_after)
    enqueue(celery, ledger, [unwritten], LABEL)
    ledger.claim("worker", LABEL, [unwritten], 1)
    ledger.fail("worker", unwritten, "status 507")
    result = relabel(celery, orthanc, ledger, Wanted("new", older=False, failed=True))
    assert (result.enqueued, result.other) == (2, 1)
    assert set(ledger.due(BACKFILL, 10)) == {written, unwritten}
