"""New before old, whatever way it came: pushed over DICOM or HTTP into a real Orthanc, or found by the sweep."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import redis
import requests

from mskmodel.dicom.writing import Header, write_dx
from tests.broker import valkey
from tests.deliveries import SECRET
from tests.gateway_process import gateway
from tests.servers import Orthanc
from tests.waiting import until
from workers.broker.celery_app import publisher
from workers.broker.queues import BACKFILL, LABEL
from workers.ledger import Ledger
from workers.pacs import OrthancClient
from workers.pacs.send import STORED, Target, send
from workers.reconciliation import sweep
from workers.reconciliation.age import AgeRule
from workers.settings import Settings

RULE = {
    "MSK_OLD_AFTER_DAYS": "30",
    "MSK_BACKFILL_SENDERS": "MIGRATION, 127.0.0.9",
    "MSK_NEW_SENDERS": "prefetch",
}
TODAY, LONG_AGO = f"{date.today():%Y%m%d}", f"{date.today() - timedelta(days=400):%Y%m%d}"
#: Over HTTP where there is no AE title.
HTTP = ""
#: The instance's name, its study date, who sends it, and the queue in which it is to wait.
INSTANCES = (
    ("new over DICOM", TODAY, "CR1", LABEL),
    ("new over HTTP", TODAY, HTTP, LABEL),
    ("old over DICOM", LONG_AGO, "CR1", BACKFILL),
    ("old over HTTP", LONG_AGO, HTTP, BACKFILL),
    ("new by a sender of archives", TODAY, "MIGRATION", BACKFILL),
    ("without a date, by a sender of archives", "", "MIGRATION", BACKFILL),
    ("old, but needed now", LONG_AGO, "PREFETCH", LABEL),
    ("without a date", "", "CR1", LABEL),
    ("with a date that is none", "00000000", "CR1", LABEL),
    ("from the future", "20991231", "CR1", LABEL),
)


class Site:
    """A gateway, a broker and an Orthanc without workers: what is accepted stays where it waits."""

    def __init__(self, orthanc: Orthanc, environment: dict[str, str], folder: Path) -> None:
        self.settings = Settings.from_environment(environment)
        self.orthanc, self.client, self._folder = orthanc, OrthancClient.of(self.settings), folder
        self.ledger = Ledger(self.settings.broker_url)

    def store(self, data: bytes, sender: str) -> None:
        if sender == HTTP:
            self.orthanc.upload(data)
            return
        file = self._folder / "instance.dcm"
        file.write_bytes(data)
        target = Target("127.0.0.1", self.orthanc.dicom_port, self.orthanc.dicom_aet, sender)
        assert [sent.status for sent in send([file], target)] == [STORED]

    def queues(self) -> dict[str, str]:
        """Where each instance waits."""
        return {instance: queue for queue in (LABEL, BACKFILL) for instance in self.ledger.due(queue, 1000)}

    def forget(self) -> None:
        """What a broker that lost everything would do."""
        redis.Redis.from_url(self.settings.broker_url).flushall()

    def sweep(self) -> None:
        sweep.run(publisher(self.settings), self.client, self.ledger, AgeRule.of(self.settings))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with valkey(folder / "valkey") as broker_url:
        own = {"MSK_BROKER_URL": broker_url, "MSK_WEBHOOK_SECRET": SECRET} | RULE
        nowhere = {"MSK_ORTHANC_URL": "http://127.0.0.1:9", "MSK_ORTHANC_USER": "x", "MSK_ORTHANC_PASSWORD": "x"}
        with gateway(own | nowhere) as receiver:
            url = f"http://127.0.0.1:{receiver.base_url.port}/hooks/orthanc"
            orthanc = Orthanc(folder / "orthanc", webhook_url=url, webhook_secret=SECRET, environment=RULE)
            orthanc.start()
            try:
                yield Site(orthanc, own | orthanc.access, folder)
            finally:
                orthanc.close()


def radiograph(name: str, study_date: str, study: str | None = None) -> bytes:
    header = Header(identity=name, study=study, date=study_date and TODAY)
    data = write_dx(np.full((64, 48), 7, np.uint16), header=header, bits=12)
    return data.replace(TODAY.encode(), study_date.encode())  # what is no date is not written


@pytest.fixture(scope="module")
def wanted(site: Site) -> dict[str, str]:
    """All instances, stored once, and the queue in which each is to wait."""
    known: dict[str, str] = {}
    for name, study_date, sender, queue in INSTANCES:
        site.store(radiograph(name, study_date), sender)
        (stored,) = set(site.client.instance_ids(0, 1000)) - set(known)
        known[stored] = queue
    return known


def in_an_archive(wanted: dict[str, str]) -> dict[str, str]:
    """Where the same instances are to wait if what says nothing of its age is old."""
    says_nothing = [study_date not in (TODAY, LONG_AGO) for _, study_date, *_ in INSTANCES]
    return {i: BACKFILL if dateless else wanted[i] for i, dateless in zip(wanted, says_nothing, strict=True)}


def test_what_is_pushed_waits_in_the_queue_of_its_age(site: Site, wanted: dict[str, str]) -> None:
    until(lambda: len(site.queues()) == len(wanted))
    assert site.queues() == wanted
    assert site.ledger.messages(BACKFILL) == list(wanted.values()).count(BACKFILL)


def test_what_the_sweep_finds_waits_in_the_same_queue(site: Site, wanted: dict[str, str]) -> None:
    site.forget()
    site.sweep()
    assert site.queues() == wanted


def test_in_an_archive_what_is_new_does_not_wait_behind_what_is_old(
    site: Site, wanted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages behind, the sweep takes what says nothing of its age for a part of the archive."""
    monkeypatch.setattr(sweep, "PAGE", 4)
    site.forget()
    site.sweep()
    assert site.queues() == in_an_archive(wanted)


def test_what_the_broker_forgot_after_the_sweep_had_passed_is_told_apart_too(
    site: Site, wanted: dict[str, str]
) -> None:
    site.sweep()
    passed = site.ledger.cursor
    site.forget()
    site.ledger.cursor = passed
    site.sweep()
    assert site.queues() == in_an_archive(wanted)


def test_an_old_one_that_is_asked_for_goes_before_the_archive_that_it_waits_in(site: Site) -> None:
    """Orthanc keeps the first copy, and notes its sender only."""
    site.forget()
    prior = radiograph("prior", LONG_AGO)
    site.store(prior, "MIGRATION")
    until(lambda: list(site.queues().values()) == [BACKFILL])
    site.store(prior, "PREFETCH")
    until(lambda: list(site.queues().values()) == [LABEL])


def test_a_date_that_was_corrected_counts_from_then_on(site: Site) -> None:
    site.forget()
    site.store(radiograph("first", LONG_AGO, "misdated"), "CR1")
    until(lambda: list(site.queues().values()) == [BACKFILL])
    (instance,) = site.queues()
    login = (site.orthanc.user, site.orthanc.password)
    study = site.client.parents_of([instance])[instance].study
    requests.delete(f"{site.orthanc.url}/studies/{study}", auth=login, timeout=10).raise_for_status()
    site.forget()
    site.store(radiograph("second", TODAY, "misdated"), "CR1")
    until(lambda: list(site.queues().values()) == [LABEL])
    (instance,) = site.queues()
    assert site.client.parents_of([instance])[instance].study == study
