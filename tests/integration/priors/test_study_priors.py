"""Priors as people and programs get them: real Orthanc, records and gateway."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from io import BytesIO
from itertools import count
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from pydicom import uid

from mskmodel.dicom.writing import Header, radiograph_dataset
from tests.access_site import MACHINE_TOKEN, bearer
from tests.gateway_process import gateway
from tests.pages_site import PATIENT, PagesSite
from tests.waiting import until
from workers.metadata.outcome import SKIPPED
from workers.metadata.truth_changes import set_truth

_NUMBERS = count()


@dataclass
class Visit:
    """A study of a patient at the site."""

    site: PagesSite
    patient: str
    date: str
    instances: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identity = f"visit-{next(_NUMBERS)}"

    def film(self, label: str | None, side: str = "", says: str = "") -> "Visit":
        """Store a picture that the model gives this label, and whose header names this region."""
        stored, sop = self.store({})
        claims = [{"field": "body part", "kind": "region", "terms": [says]}] if says else []
        told = {"label": label, "claims": {"claims": claims, "side": side, "group": ""}}
        self.site.label(stored, **told)
        self.instances[stored] = sop
        return self

    def scan(self, **attributes: Any) -> "Visit":
        """Store a slice of another modality, which no model looks at."""
        stored, sop = self.store({"SOPClassUID": uid.CTImageStorage, "Modality": "CT"} | attributes)
        self.site.label(stored, SKIPPED, reason="not a radiograph: CT Image Storage")
        self.instances[stored] = sop
        return self

    def store(self, attributes: dict[str, Any]) -> tuple[str, str]:
        """Orthanc's identifier and the SOP Instance UID."""
        name = f"{self.identity}-{self.patient}-{len(self.instances)}"
        header = Header(identity=name, study=self.identity, patient_id=self.patient, date=self.date)
        ds = radiograph_dataset(np.zeros((8, 8), np.uint16), header=header, bits=12)
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        self.uid = str(ds.StudyInstanceUID)
        file = BytesIO()
        ds.save_as(file, enforce_file_format=True)
        return self.site.training.orthanc.upload(file.getvalue()), str(ds.SOPInstanceUID)

    def is_indexed(self) -> bool:
        shown = self.site.indexed()
        return all(shown.get(instance) for instance in self.instances)


@pytest.fixture
def client(site: PagesSite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, headers=bearer(MACHINE_TOKEN), timeout=60) as client:
        yield client


@pytest.fixture
def patient() -> str:
    return f"{PATIENT}prior-{next(_NUMBERS)}"


def ask(client: httpx.Client, visit: Visit, *visits: Visit) -> dict[str, Any]:
    """The priors of the first visit, once all of them are in the index."""
    until(lambda: all(one.is_indexed() for one in (visit, *visits)), 60)
    answer = client.get(f"/api/studies/{visit.uid}/priors")
    assert answer.status_code == 200, answer.text
    assert PATIENT not in answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_last_years_knee_is_found_although_its_header_says_leg(
    site: PagesSite, client: httpx.Client, patient: str
) -> None:
    now = Visit(site, patient, "20261128").film("knee_ap", "R").film("knee_lateral", "R")
    knee = Visit(site, patient, "20250928").film("knee_lateral", "R", "leg").film("knee_ap", "R", "leg")
    other = Visit(site, patient, "20260928").film("knee_ap", "L")
    hand = Visit(site, patient, "20260928").film("hand_ap", "R", "knee")
    later = Visit(site, patient, "20261129").film("knee_ap", "R")
    stranger = Visit(site, patient + "x", "20260928").film("knee_ap", "R")
    found = ask(client, now, knee, other, hand, later, stranger)
    assert (found["study"], found["considered"], len(found["priors"])) == (now.uid, 3, 1)
    (prior,) = found["priors"]
    assert (prior["study"], prior["studied_at"]) == (knee.uid, "2025-09-28T12:00:00")
    assert prior["sentence"] == "same knee, same view, 14 months earlier; told by its pixels, the header says leg"
    assert prior["reasons"][0] == "same knee" and 0.9 < prior["score"] <= 1
    assert prior["told_by"] == {"current": "pixels", "prior": "pixels"}
    ap, lateral = now.instances.values()
    earlier_lateral, earlier_ap = knee.instances.values()
    assert {(pair["current"], pair["prior"]) for pair in prior["pairs"]} == {
        (ap, earlier_ap), (lateral, earlier_lateral),
    }  # fmt: skip


def test_what_a_person_says_changes_the_priors(site: PagesSite, client: httpx.Client, patient: str) -> None:
    now = Visit(site, patient, "20261128").film("knee_ap", "R")
    before = Visit(site, patient, "20261101").film("elbow_ap")
    assert ask(client, now, before)["priors"] == []
    (instance,) = before.instances
    set_truth(site.training.orthanc, instance, "knee_ap", "rita", ("knee_ap",))
    until(lambda: site.indexed("truth").get(instance) == "knee_ap", 60)
    (prior,) = ask(client, now, before)["priors"]
    assert prior["sentence"] == "same knee, side not known, same view, 4 weeks earlier; told by a person"
    for side, said in (("R", ["same knee, same view, 4 weeks earlier; told by a person"]), ("L", [])):
        set_truth(site.training.orthanc, instance, "knee_ap", "rita", ("knee_ap",), side=side)
        until(lambda side=side: site.indexed("side").get(instance) == side, 60)
        assert [prior["sentence"] for prior in ask(client, now, before)["priors"]] == said


def test_other_modalities_are_found_by_their_headers_alone(site: PagesSite, client: httpx.Client, patient: str) -> None:
    now = Visit(site, patient, "20261128").film("knee_ap", "L")
    scan = Visit(site, patient, "20261128").scan(BodyPartExamined="", StudyDescription="CT Knie links, Meier")
    part = Visit(site, patient, "20261127").scan(BodyPartExamined="PATELLA", SeriesDescription="")
    chest = Visit(site, patient, "20261120").scan(BodyPartExamined="CHEST")
    found = ask(client, now, scan, part, chest)
    assert [(prior["study"], prior["sentence"]) for prior in found["priors"]] == [
        (scan.uid, "same knee, by CT, the same day; told by its header alone"),
        (part.uid, "patella beside knee, side not known, by CT, 1 day earlier; told by its header alone"),
    ]
    assert found["priors"][0]["modalities"] == ["CT"] and found["priors"][0]["pairs"] == []
    assert "Meier" not in str(found)
    back = ask(client, scan, now)
    assert [prior["study"] for prior in back["priors"]] == [now.uid, part.uid], "a CT has priors too"


def test_a_scan_that_is_deleted_meanwhile_is_left_out(site: PagesSite, client: httpx.Client, patient: str) -> None:
    now = Visit(site, patient, "20261128").film("knee_ap", "L")
    scan = Visit(site, patient, "20261127").scan(BodyPartExamined="KNEE")
    assert len(ask(client, now, scan)["priors"]) == 1
    for instance in scan.instances:
        delete(site, instance)
    assert client.get(f"/api/studies/{now.uid}/priors").json()["priors"] == [], "the index has not noticed"


def test_a_study_that_is_gone_or_never_was_gives_404(site: PagesSite, client: httpx.Client, patient: str) -> None:
    now = Visit(site, patient, "20261128").film("knee_ap")
    before = Visit(site, patient, "20261127").film("knee_ap")
    assert len(ask(client, now, before)["priors"]) == 1
    for name in ("1.2.3", "nothing", "..%2f..%2fetc", "1.2.3%00", "%27"):
        answer = client.get(f"/api/studies/{name}/priors")
        assert answer.status_code == 404, name
    assert "no such study" in client.get("/api/studies/1.2.3/priors").json()["detail"]


def test_a_uid_of_two_patients_is_refused_in_a_sentence(site: PagesSite, client: httpx.Client, patient: str) -> None:
    visits = [Visit(site, patient + name, "20261128") for name in ("a", "b")]
    visits[1].identity = visits[0].identity
    for visit in visits:
        visit.film("knee_ap", "R")
    assert visits[0].uid == visits[1].uid
    until(lambda: all(visit.is_indexed() for visit in visits), 60)
    answer = client.get(f"/api/studies/{visits[0].uid}/priors")
    assert answer.status_code == 409
    assert "studies of more than one patient" in answer.json()["detail"] and PATIENT not in answer.text
    with site.as_("vera") as vera:
        page = vera.get(f"/studies/{visits[0].uid}")
        assert page.status_code == 200 and "studies of more than one patient" in page.text
    now = Visit(site, patient + "a", "20261128").film("knee_ap", "R")
    assert ask(client, now)["priors"] == [], "nor is it anybody's prior"


def test_those_who_have_no_number_have_no_priors(site: PagesSite, client: httpx.Client) -> None:
    now, before = (Visit(site, "", date).film("knee_ap", "R") for date in ("20261128", "20261127"))
    assert ask(client, now, before) | {"orthanc": ""} == {
        "study": now.uid, "orthanc": "", "studied_at": "2026-11-28T12:00:00", "considered": 0, "priors": [],
    }  # fmt: skip


def test_the_study_page_lists_them_and_leads_there(site: PagesSite, client: httpx.Client, patient: str) -> None:
    now = Visit(site, patient, "20261128").film("ankle_ap", "R")
    foot = Visit(site, patient, "20241128").film("foot_ap", "R")
    undated = Visit(site, patient, "").film("ankle_lateral", "R")
    prior_ids = {one["study"]: one["orthanc"] for one in ask(client, now, foot, undated)["priors"]}
    with site.as_("vera") as vera:
        page = vera.get(f"/studies/{now.uid}").text
        aside = text_of(page[page.index('<aside class="priors"') : page.index("</aside>")])
        assert "foot beside ankle of the same side, 2 years earlier; told by its pixels" in aside
        assert "Study without a date" in aside and "date not known" in aside and "Of 2 earlier studies" in aside
        assert PATIENT not in page
        for study in (foot, undated):
            assert f'href="/studies/{prior_ids[study.uid]}"' in page
        there = text_of(vera.get(f"/studies/{prior_ids[foot.uid]}").text)
        assert "Of 1 earlier study." in there and "ankle beside foot" in there
        hand = Visit(site, patient, "20261129").film("hand_ap", "R")
        until(hand.is_indexed, 60)
        assert "Relevant priors None among 3 earlier studies." in text_of(vera.get(f"/studies/{hand.uid}").text)


def test_a_gateway_without_records_says_why_it_knows_no_priors(site: PagesSite) -> None:
    without = {name: value for name, value in site.access.environment.items() if name != "MSK_RECORDS"}
    with gateway(without) as client:
        answer = client.get("/api/studies/1.2.3/priors", headers=bearer(MACHINE_TOKEN))
    assert (answer.status_code, "MSK_RECORDS is not set" in answer.json()["detail"]) == (503, True)


def test_strangers_get_nothing_and_viewers_do(site: PagesSite) -> None:
    assert httpx.get(f"{site.url}/api/studies/1.2.3/priors").status_code == 401
    with site.as_("vera") as vera:
        assert vera.get("/api/studies/1.2.3/priors").status_code == 404


def delete(site: PagesSite, instance: str) -> None:
    """As an Orthanc whose plugin tells nobody."""
    environment = site.training.environment
    login = (environment["MSK_ORTHANC_USER"], environment["MSK_ORTHANC_PASSWORD"])
    requests.delete(f"{environment['MSK_ORTHANC_URL']}/instances/{instance}", auth=login, timeout=10).raise_for_status()


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
