"""Versions and jobs on pages: what a role may, what stands in the audit log, and what is refused in a sentence."""

import re
from collections.abc import Iterator

import httpx
import pytest

from mskmodel.registry import SHIPPED, read_manifest
from tests.model_versions import harm_weights
from tests.pages_site import PATIENT, PEOPLE, PagesSite
from workers.jobs.store import CANCELLED, QUEUED

SHIPPED_VERSION = str(read_manifest(SHIPPED)["version"])


@pytest.fixture
def boss(site: PagesSite) -> Iterator[httpx.Client]:
    with site.as_("boss") as client:
        yield client


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="csrf" value="(\w+)"', client.get("/jobs").text)
    assert token
    return client.post(path, data=fields | {"csrf": token[1]})


def test_a_version_is_served_and_the_one_before_again(site: PagesSite, boss: httpx.Client) -> None:
    registry = site.training.registry
    before, name = registry.promoted_name(), site.training.register_untrained(note="another")
    page = boss.get(f"/models/{name}").text
    assert "Serve this version" in page and PATIENT not in page
    assert post(boss, f"/models/{name}/promote").headers["location"] == f"/models/{name}"
    assert registry.promoted_name() == name
    assert f"{name} is served" in boss.get("/models").text
    assert post(boss, "/models/rollback", **{"from": str(before)}).status_code == 409, "another one serves by now"
    assert post(boss, "/models/rollback", **{"from": name}).status_code == 303
    assert registry.promoted_name() == before
    done = site.access.audited()
    assert ("boss", "version promoted", name) in done and ("boss", "version rolled back", name) in done
    assert ("boss", "version rolled back: refused", str(before)) in done


def test_a_version_whose_answers_are_no_numbers_is_not_served(site: PagesSite, boss: httpx.Client) -> None:
    registry = site.training.registry
    before, name = registry.promoted_name(), site.training.register_untrained(note="harmed")
    harm_weights(registry.find(name), "too large")
    answer = post(boss, f"/models/{name}/promote")
    assert (answer.status_code, registry.promoted_name()) == (503, before)
    assert "known picture" in answer.text


def test_what_a_viewer_sees_has_no_buttons_and_does_nothing(site: PagesSite) -> None:
    with site.as_("vera") as vera:
        pages = [vera.get(path) for path in ("/models", f"/models/{SHIPPED_VERSION}", "/jobs", "/ledger")]
        assert [page.status_code for page in pages] == [200] * 4
        for page in pages:
            assert re.findall(r'<form method="post" action="([^"]+)"', page.text) == ["/logout"]
        for path in ("/models/rollback", "/models/relabel", "/jobs", "/jobs/x/cancel", "/models/x/promote"):
            assert post(vera, path).status_code == 403


def test_what_is_not_there_is_said(boss: httpx.Client) -> None:
    for path in ("/models/nothing", "/models/..%2f..%2fetc", "/jobs/nothing", f"/models/{SHIPPED_VERSION}/report"):
        assert boss.get(path).status_code == 404, path
    answer = boss.get("/models/compare", params={"old": "shipped", "new": "shipped"})
    assert (answer.status_code, "no answers are kept" in answer.text) == (404, True)


def test_a_job_is_submitted_from_what_is_new_and_cancelled(site: PagesSite, boss: httpx.Client) -> None:
    page = boss.get("/jobs").text
    assert re.search(r"[\d,]+ of [\d,]+ truths are new", page) and "Stripes" in page and "Disc" in page
    refused = post(boss, "/jobs", **{"from": "all", "epochs": "0"})
    assert (refused.status_code, "epochs must be a number from 1 to 500" in refused.text.lower()) == (422, True)
    answer = post(boss, "/jobs", **{"from": "new", "epochs": "3", "rehearsal": "0", "views": "50", "minimum": "1"})
    assert answer.status_code == 303, answer.text
    job_id = answer.headers["location"].removeprefix("/jobs/")
    job = site.training.job(job_id)
    assert (job.state, job.author, job.request.epochs) == (QUEUED, "boss", 3)
    assert job.request.instances and len(job.request.instances) >= 30
    assert "0 of" in boss.get("/jobs").text, "what it learns from is not new any more"
    assert post(boss, f"/jobs/{job_id}/cancel").status_code == 303
    assert site.training.job(job_id).state == CANCELLED
    assert post(boss, f"/jobs/{job_id}/cancel").status_code == 409
    done = site.access.audited()
    assert ("boss", "job submitted", job_id) in done and ("boss", "job cancelled", job_id) in done


def test_the_api_leaves_the_same_entries(site: PagesSite) -> None:
    token = {"Authorization": f"Bearer {site.access.token('rita', PEOPLE['rita'])}"}
    made = site.client.post("/api/jobs", json={"rehearsal": 0, "minimum": 1, "views": 50}, headers=token)
    assert made.status_code == 201, made.text
    site.client.delete(f"/api/jobs/{made.json()['id']}", headers=token)
    done = site.access.audited()
    assert ("rita", "job submitted", made.json()["id"]) in done and ("rita", "job cancelled", made.json()["id"]) in done
