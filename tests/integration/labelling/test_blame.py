"""Whose fault a failure is: one instance's, which then fails alone, or Orthanc's, which is held against none."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis
import requests

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from tests import dicom_files
from tests.broker import valkey
from tests.faulty_pacs import CUT, HANGS, NO_JSON, FaultyPacs, faulty_pacs
from tests.servers import Orthanc, running_orthanc
from tests.waiting import until
from workers.broker.queues import BACKFILL, LABEL
from workers.labelling import endings
from workers.labelling.blame import ModelBroken, OrthancOutage
from workers.labelling.labeller import Labeller
from workers.labelling.run import Run
from workers.ledger import Ledger
from workers.metadata.outcome import FAILED, LABEL_METADATA, LABELLED, NEEDS_REVIEW, Outcome
from workers.pacs import OrthancClient
from workers.reconciliation.audit import audit

SOUND = {LABELLED, NEEDS_REVIEW}


@dataclass
class Site:
    """A label worker's parts, with a proxy before Orthanc."""

    server: Orthanc
    pacs: FaultyPacs
    broker_url: str
    direct: OrthancClient
    """Past the proxy."""
    orthanc: OrthancClient
    ledger: Ledger
    classifier: Classifier

    @property
    def auth(self) -> tuple[str, str]:
        return self.server.user, self.server.password

    def store(self, *names: str) -> list[str]:
        pixels = dicom_files.gradient(12, 200, 160)
        return [self.direct.upload(write_dx(pixels, header=Header(identity=name), bits=12)) for name in names]

    def label(self, instance_ids: list[str], queue: str = LABEL, owner: str = "run") -> Run:
        return Labeller(self.orthanc, self.ledger, self.classifier).label(owner, instance_ids, queue, 16)

    def label_until_closed(self, instance_ids: list[str]) -> int:
        """Runs until nothing waits any more; how many these were."""
        for number in range(1, 20):
            self.label(instance_ids)
            if sum(self.ledger.depth().values()) == 0:
                return number
            until(lambda: self.ledger.due(LABEL, 1), 5)  # the shortened pause between two attempts is over
        raise AssertionError(self.ledger.entries(instance_ids))

    def outcome(self, instance_id: str) -> Outcome | None:
        return Outcome.of(self.direct.metadata(instance_id))

    def statuses(self, instance_ids: list[str]) -> set[str]:
        return {outcome.status if (outcome := self.outcome(each)) else "none" for each in instance_ids}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        running_orthanc(tmp_path_factory.mktemp("orthanc")) as server,
        valkey(tmp_path_factory.mktemp("valkey")) as broker_url,
        faulty_pacs(server.url) as pacs,
    ):
        direct = OrthancClient(server.url, server.user, server.password)
        orthanc = OrthancClient(pacs.url, server.user, server.password, read_timeout=1)
        classifier = Classifier.load(Registry(None).promoted(), "cpu")
        yield Site(server, pacs, broker_url, direct, orthanc, Ledger(broker_url), classifier)
        orthanc.close()
        direct.close()


@pytest.fixture
def site(everything: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The site without any instance."""
    redis.Redis.from_url(everything.broker_url).flushall()
    monkeypatch.setattr(endings, "RETRY_SECONDS", (0.01,) * 4)
    yield everything
    everything.pacs.heal()
    for instance_id in everything.direct.instance_ids(0, 1000):
        requests.delete(f"{everything.server.url}/instances/{instance_id}", auth=everything.auth, timeout=10)


@pytest.mark.parametrize(
    ("fault", "method", "part", "stands_in_orthanc"),
    [
        (404, "GET", "/file", True),
        (500, "GET", "/file", True),
        (403, "GET", "/file", True),
        (CUT, "GET", "/file", True),
        (HANGS, "GET", "/file", True),
        (NO_JSON, "GET", "/file", True),
        (500, "GET", "/attachments/dicom/md5", True),
        (500, "GET", "/metadata?expand", False),
        (NO_JSON, "GET", "/metadata?expand", False),
        (500, "PUT", "/metadata/MskPrediction", False),
        (403, "PUT", "/metadata/MskPrediction", False),
        (404, "PUT", "/metadata/MskPrediction", False),
    ],
)
def test_what_one_instance_causes_is_its_own(
    site: Site, fault: int, method: str, part: str, stands_in_orthanc: bool
) -> None:
    stored = site.store(*(f"{fault} {part} {number}" for number in range(6)))
    sound, broken = [*stored[:2], *stored[3:]], stored[2]
    site.pacs.spoil(fault, method=method, parts=(f"{broken}{part}",))
    site.ledger.open(stored, LABEL)
    site.label(stored)
    assert site.statuses(sound) <= SOUND, "at once, in the run in which the other one failed"
    assert site.label_until_closed(stored) < 10, "it has a bound"
    found = audit(site.direct, site.ledger)
    assert found.failed == [broken]
    assert found.unaccounted == []
    reasons = [reason for reason in found.reasons[FAILED] if "Orthanc does not" in reason]
    assert reasons
    assert all(broken not in reason for reason in reasons), "the same reason for all that fail alike"
    outcome = site.outcome(broken)
    assert (outcome is not None and outcome.status == FAILED) == stands_in_orthanc
    if outcome:
        assert outcome.retry


def test_a_failure_that_stands_in_the_ledger_is_tried_again_when_it_is_opened(site: Site) -> None:
    first, second = site.store("opened again", "witness")
    site.pacs.spoil(500, method="PUT", parts=(f"{first}/metadata",))
    site.ledger.open([first, second], LABEL)
    site.label_until_closed([first, second])
    assert audit(site.direct, site.ledger).failed.count(first) == 1
    site.pacs.heal()
    assert site.label([first]).count == 0, "not by a late message"
    assert site.ledger.open([first], LABEL) == 1
    site.label([first])
    assert site.statuses([first]) <= SOUND
    assert site.ledger.holds([first]) == set()


@pytest.mark.parametrize(
    ("fault", "method", "part"),
    [
        (500, "GET", "/file"),
        (503, "GET", "/"),
        (401, "GET", "/"),
        (NO_JSON, "GET", "/metadata"),
        (507, "PUT", "/metadata"),
        (CUT, "GET", "/file"),
        (NO_JSON, "GET", "/file"),
        (404, "GET", "/"),
    ],
)
def test_an_outage_is_held_against_nobody(site: Site, fault: int, method: str, part: str) -> None:
    earlier = site.store(*(f"before {fault} {part} {number}" for number in range(3)))
    site.ledger.open(earlier, LABEL)
    site.label(earlier)
    stored = site.store(*(f"during {fault} {part} {number}" for number in range(2)))
    site.ledger.open(stored, LABEL)
    site.pacs.spoil(fault, method=method, parts=(part,))
    for number in range(6):
        site.ledger.open(stored, LABEL)
        with pytest.raises(OrthancOutage):
            site.label(stored, owner=f"run-{number}")
    assert len(audit(site.direct, site.ledger).reasons["queued"]) >= 1, "why they wait"
    site.pacs.heal()
    site.label(stored)
    outcomes = [site.outcome(each) for each in stored]
    assert all(outcome and outcome.status in SOUND and outcome.tries == 1 for outcome in outcomes)


def test_many_lost_files_in_the_first_run_of_all_cost_the_others_nothing(site: Site) -> None:
    stored = site.store(*(f"first of all {number}" for number in range(9)))
    lost, sound = stored[0:7:3], [each for number, each in enumerate(stored) if number not in (0, 3, 6)]
    site.pacs.spoil(500, parts=tuple(f"{each}/file" for each in lost))
    site.ledger.open(stored, LABEL)
    site.label(stored)
    assert site.statuses(sound) <= SOUND
    site.label_until_closed(stored)
    assert site.statuses(lost) == {FAILED}


def test_metadata_of_another_shape_than_orthancs_cost_nobody_a_label(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stored,) = site.store("odd reception date")
    metadata = site.orthanc.metadata

    def odd(instance_id: str) -> dict[str, str]:
        return metadata(instance_id) | {"ReceptionDate": "yesterday"}

    monkeypatch.setattr(site.orthanc, "metadata", odd)
    site.ledger.open([stored], LABEL)
    site.label([stored])
    outcome = site.outcome(stored)
    assert outcome
    assert (outcome.status in SOUND, outcome.stored_at) == (True, None)


def test_a_truth_stays_shown_on_an_instance_that_fails(site: Site) -> None:
    broken, witness = site.store("truth of the broken", "truth witness")
    site.direct.put_metadata(broken, "MskTruth", '{"label": "knee_ap", "author": "anna"}')
    site.pacs.spoil(500, parts=(f"{broken}/attachments",))
    site.ledger.open([broken, witness], LABEL)
    site.label_until_closed([broken, witness])
    assert site.statuses([broken]) == {FAILED}
    assert site.direct.metadata(broken)[LABEL_METADATA] == "knee_ap"


def test_a_model_that_answers_for_nothing_is_held_against_nobody(site: Site) -> None:
    stored = site.store("broken model", "another")
    site.ledger.open(stored, LABEL)
    answering = site.classifier.model

    def fails(*_: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    site.classifier.model = fails  # type: ignore[assignment] # stands for a GPU that has failed
    try:
        for number in range(5):
            with pytest.raises(ModelBroken):
                site.label(stored, owner=f"run-{number}")
            site.ledger.open(stored, LABEL)
    finally:
        site.classifier.model = answering
    site.label_until_closed(stored)
    assert site.statuses(stored) <= SOUND


def test_a_run_of_the_backfill_labels_new_instances_in_between(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = site.store(*(f"old {number}" for number in range(8))), site.store("new 0", "new 1")
    site.ledger.open(old, BACKFILL)
    begun: list[str] = []
    begin = site.ledger.begin

    def begins(owner: str, instance_id: str) -> int:
        if not begun:
            site.ledger.open(new, LABEL)
        begun.append(instance_id)
        return begin(owner, instance_id)

    monkeypatch.setattr(site.ledger, "begin", begins)
    site.label(old, BACKFILL)
    assert begun == [old[0], new[0], old[1], new[1], *old[2:]], "at most one old one is before a new one"
    assert site.statuses([*old, *new]) <= SOUND
    assert sum(site.ledger.depth().values()) == 0
