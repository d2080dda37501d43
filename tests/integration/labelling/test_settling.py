"""The second look at a study, on a real Orthanc and a real Valkey; outcomes are written as a label worker would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pytest
import redis

from mskmodel.evidence.claim import Claim, Claims
from mskmodel.evidence.reliability import PRIOR
from mskmodel.labels import KEYS
from mskmodel.registry.decision import Classification, Decision
from tests import dicom_files
from tests.broker import valkey
from tests.servers import running_orthanc
from workers.broker.queues import LABEL
from workers.labelling.deciding import Judge
from workers.labelling.settling import MOST, settle
from workers.ledger import Ledger
from workers.metadata.outcome import LABEL_METADATA, NEEDS_REVIEW, PREDICTION, TRUTH, Outcome
from workers.metadata.shown_label import show_label
from workers.pacs import OrthancClient

MD5, VERSION = "0" * 32, "v1"
JUDGE = Judge(KEYS, Decision(), PRIOR)
SILENT = Claims()


@dataclass
class Site:
    orthanc: OrthancClient
    ledger: Ledger
    database: "redis.Redis[str]"
    study: str = "2.25.1"

    def label(self, name: str, claims: Claims = SILENT, model: str = VERSION, **pixels: float) -> str:
        """Store an instance of the study, and label it by these probabilities; the rest is none of the classes."""

        def into_the_study(data: object) -> None:
            data.StudyInstanceUID, data.SeriesInstanceUID = self.study, f"{self.study}.1"  # type: ignore[attr-defined]

        instance_id = self.orthanc.upload(dicom_files.edited(f"{self.study} {name}", into_the_study))
        row = np.array([pixels.get(key, 0.001) for key in KEYS])
        own = Decision().decide(np.append(row, 1 - row.sum()), KEYS)
        study = self.orthanc.study_of(instance_id)
        self.ledger.open([instance_id], LABEL)
        self.ledger.claim("run", LABEL, [instance_id], 1)
        outcome = Outcome(attachment_md5=MD5, tries=1, model=model, study=study, **JUDGE.outcome_of(own, claims))
        show_label(self.orthanc, instance_id, {}, outcome)
        self.orthanc.put_metadata(instance_id, PREDICTION, outcome.to_json())
        self.ledger.close("run", instance_id, labelled=True, study=study)
        return instance_id

    def settle(self, judge: Judge = JUDGE, version: str = VERSION) -> int:
        """Look at all studies, as if they had been quiet for long."""
        for study in self.database.zrange("msk:unsettled", 0, -1):
            self.database.zadd("msk:unsettled", {study: 1}, xx=True)
        return settle(self.orthanc, self.ledger, version, judge, lambda: True)

    def outcome(self, instance_id: str) -> Outcome:
        return Outcome.from_json(self.orthanc.metadata(instance_id)[PREDICTION])

    def shown(self, instance_id: str) -> str | None:
        return self.orthanc.metadata(instance_id).get(LABEL_METADATA)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        running_orthanc(tmp_path_factory.mktemp("orthanc")) as server,
        valkey(tmp_path_factory.mktemp("valkey")) as broker_url,
    ):
        orthanc = OrthancClient(server.url, server.user, server.password)
        yield Site(orthanc, Ledger(broker_url), redis.Redis.from_url(broker_url, decode_responses=True))
        orthanc.close()


@pytest.fixture
def site(servers: Site, request: pytest.FixtureRequest) -> Site:
    servers.database.flushall()
    return replace(servers, study=f"2.25.{crc32(request.node.nodeid.encode())}")


def an_unsure_elbow(site: Site) -> str:
    """A lateral elbow that looks as much like a lateral knee, so that it has no label of its own."""
    instance_id = site.label("unsure", elbow_lateral=0.44, knee_lateral=0.45)
    assert (site.outcome(instance_id).status, site.shown(instance_id)) == (NEEDS_REVIEW, None)
    return instance_id


def test_a_sure_sibling_gives_an_unsure_instance_its_label(site: Site) -> None:
    unsure, sure = an_unsure_elbow(site), site.label("sure", elbow_ap=0.98)
    assert site.settle() == 1
    moved = site.outcome(unsure)
    assert (moved.label, site.shown(unsure), moved.region and moved.region[0]) == ("elbow_lateral",) * 2 + ("elbow",)
    assert moved.siblings is not None
    assert (moved.siblings.count, moved.siblings.moved, moved.siblings.before) == (1, True, None)
    assert moved.explanation is not None
    assert "its sibling is an elbow AP 0.98" in moved.explanation
    other = site.outcome(sure)
    assert (other.label, other.siblings and other.siblings.moved) == ("elbow_ap", False)
    assert site.database.zcard("msk:unsettled") == 0


def test_looking_again_at_the_same_study_changes_nothing(site: Site) -> None:
    stored = [an_unsure_elbow(site), site.label("sure", elbow_ap=0.98)]
    site.settle()
    before = [site.orthanc.metadata(each) for each in stored]
    site.database.zadd("msk:unsettled", {site.outcome(stored[0]).study: 1})
    assert site.settle() == 1
    assert [site.orthanc.metadata(each) for each in stored] == before


def test_siblings_move_a_label_once_at_most(site: Site) -> None:
    unsure = an_unsure_elbow(site)
    site.label("sure", elbow_ap=0.98)
    site.settle()
    assert site.shown(unsure) == "elbow_lateral"
    for number in range(3):
        site.label(f"knee {number}", knee_ap=0.985)
    site.settle()
    assert site.shown(unsure) == "elbow_lateral"


def test_a_study_that_grew_without_moving_a_label_is_heard_again(site: Site) -> None:
    unsure, first = an_unsure_elbow(site), site.label("nothing known", knee_ap=0.2, elbow_ap=0.2)
    site.settle()
    (before,) = {site.outcome(unsure).siblings}
    site.label("sure", elbow_ap=0.98)
    site.settle()
    after = site.outcome(unsure)
    assert before is not None
    assert after.siblings is not None
    assert (before.count, after.siblings.count, after.label) == (1, 2, "elbow_lateral")
    assert site.outcome(first).siblings != before


def test_an_instance_alone_in_its_study_stays_as_it_is(site: Site) -> None:
    alone = an_unsure_elbow(site)
    before = site.orthanc.metadata(alone)
    assert site.settle() == 1
    assert site.orthanc.metadata(alone) == before


def test_a_truth_stands_and_speaks_for_its_siblings(site: Site) -> None:
    unsure, corrected = an_unsure_elbow(site), site.label("corrected", knee_ap=0.98)
    site.orthanc.put_metadata(corrected, TRUTH, '{"label": "elbow_ap", "author": "anna"}')
    show_label(site.orthanc, corrected, site.orthanc.metadata(corrected), None)
    site.settle()
    assert (site.shown(unsure), site.shown(corrected)) == ("elbow_lateral", "elbow_ap")
    assert json.loads(site.orthanc.metadata(corrected)[TRUTH])["label"] == "elbow_ap"


def test_a_truth_of_the_unsure_one_stays_shown(site: Site) -> None:
    unsure = an_unsure_elbow(site)
    site.label("sure", elbow_ap=0.98)
    site.orthanc.put_metadata(unsure, TRUTH, '{"label": "knee_lateral", "author": "anna"}')
    site.settle()
    assert site.shown(unsure) == "knee_lateral"


def test_a_header_speaks_for_the_siblings_too(site: Site) -> None:
    says_elbow = Claims((Claim("body part", "region", ("elbow",)),))
    unsure = site.label("unsure", says_elbow, elbow_lateral=0.42, knee_lateral=0.4)
    silent = site.label("silent", elbow_ap=0.42, knee_ap=0.4)
    assert site.shown(silent) is None
    site.settle()
    assert site.shown(silent) == "elbow_ap"
    assert site.outcome(unsure).evidence.keys() == {"header", "siblings"}


def test_while_an_instance_of_it_is_being_labelled_a_study_waits(site: Site) -> None:
    unsure, sure = an_unsure_elbow(site), site.label("sure", elbow_ap=0.98)
    site.ledger.open([sure], LABEL)
    site.ledger.claim("other", LABEL, [sure], 1)
    assert (site.settle(), site.shown(unsure)) == (0, None)
    site.ledger.close("other", sure)
    assert (site.settle(), site.shown(unsure)) == (1, "elbow_lateral")


def test_an_instance_that_failed_for_good_does_not_hold_up_its_study(site: Site) -> None:
    unsure, sure = an_unsure_elbow(site), site.label("sure", elbow_ap=0.98)
    site.ledger.open([sure], LABEL)
    site.ledger.claim("other", LABEL, [sure], 1)
    site.ledger.fail("other", sure, "it cannot be written")
    assert (site.settle(), site.shown(unsure)) == (1, "elbow_lateral")


def test_outcomes_of_another_version_wait_for_their_own(site: Site) -> None:
    unsure = an_unsure_elbow(site)
    site.label("sure", model="v0", elbow_ap=0.98)
    site.settle()
    assert site.shown(unsure) is None


def test_a_study_with_very_many_instances_is_left_as_it_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 30, "a skeletal survey is looked at"
    unsure = an_unsure_elbow(site)
    site.label("sure", elbow_ap=0.98)
    monkeypatch.setattr("workers.labelling.settling.MOST", 1)
    assert (site.settle(), site.shown(unsure)) == (1, None)


def test_a_study_that_was_deleted_is_forgotten(site: Site) -> None:
    site.database.zadd("msk:unsettled", {"00000000-00000000-00000000-00000000-00000000": 1})
    assert site.settle() == 1
    assert site.database.zcard("msk:unsettled") == 0


def test_a_site_that_wants_the_pixels_alone_gets_them(site: Site) -> None:
    unsure, sure = an_unsure_elbow(site), site.label("sure", elbow_ap=0.98)
    before = [site.orthanc.metadata(each) for each in (unsure, sure)]
    assert site.settle(replace(JUDGE, pixels_alone=True)) == 1
    assert [site.orthanc.metadata(each) for each in (unsure, sure)] == before
    said = Classification(None, (), 0.0, "low confidence", (0.44, *[0.56 / 13] * 13))
    claims = Claims((Claim("body part", "region", ("ankle",)),))
    assert replace(JUDGE, pixels_alone=True).outcome_of(said, claims)["label"] is None


def test_a_death_before_the_outcome_is_written_leaves_the_study_to_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = an_unsure_elbow(site)
    site.label("sure", elbow_ap=0.98)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(OrthancClient, "replace_metadata", dies)
        with pytest.raises(KeyboardInterrupt):
            site.settle()
    assert (site.settle(), site.shown(unsure)) == (1, "elbow_lateral")
    assert site.outcome(unsure).label == "elbow_lateral"


def test_an_outcome_written_meanwhile_stands(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    unsure = an_unsure_elbow(site)
    site.label("sure", elbow_ap=0.98)
    newer = replace(site.outcome(unsure), model="v2", status="labelled", label="knee_ap").to_json()
    as_before = OrthancClient.study_metadata

    def overtaken(orthanc: OrthancClient, study: str, most: int) -> dict[str, dict[str, str]] | None:
        found = as_before(orthanc, study, most)
        orthanc.put_metadata(unsure, PREDICTION, newer)
        return found

    monkeypatch.setattr(OrthancClient, "study_metadata", overtaken)
    site.settle()
    assert (site.orthanc.metadata(unsure)[PREDICTION], site.shown(unsure)) == (newer, "knee_ap")


def test_an_outcome_that_holds_no_numbers_keeps_nobody_else_from_being_heard(site: Site) -> None:
    unsure, odd = an_unsure_elbow(site), site.label("odd", knee_ap=0.98)
    site.label("sure", elbow_ap=0.98)
    outcome = site.outcome(odd)
    written = replace(outcome, pixels=dict.fromkeys(outcome.pixels, "many")).to_json()  # type: ignore[arg-type]
    site.orthanc.put_metadata(odd, PREDICTION, written)
    assert (site.settle(), site.shown(unsure)) == (1, "elbow_lateral")
    assert site.orthanc.metadata(odd)[PREDICTION] == written
