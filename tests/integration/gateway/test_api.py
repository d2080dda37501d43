"""The REST interface on the gateway as a process, in front of a real Orthanc and a real Valkey."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import gateway_process
from tests.access_site import AccessSite, bearer
from tests.servers import new_webhook_secret
from tests.training_site import Site
from workers.access.role import Role
from workers.gateway.request_body import MAX_BODY_BYTES

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site.opened(tmp_path_factory.mktemp("site")) as site:
        yield site


@contextmanager
def gateway(site: Site, token: str) -> Iterator[httpx.Client]:
    own = {"MSK_WEBHOOK_SECRET": new_webhook_secret(), "MSK_API_TOKEN": token}
    with gateway_process.gateway(site.environment | own) as client:
        yield client


def test_a_job_is_submitted_shown_and_cancelled_and_a_truth_is_set(site: Site) -> None:
    with gateway(site, TOKEN) as client:
        assert client.get("/api/jobs").status_code == 401
        assert client.get("/api/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"

        made = client.post("/api/jobs", json={"author": "ann", "epochs": 3, "rehearsal": 0})
        assert made.status_code == 201, made.text
        job = made.json()
        assert (job["state"], job["author"], job["request"]["epochs"]) == ("queued", "ann", 3)
        assert [one["id"] for one in client.get("/api/jobs").json()] == [job["id"]]
        assert client.delete(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
        assert client.delete(f"/api/jobs/{job['id']}").status_code == 409
        assert client.get(f"/api/jobs/{job['id']}").json()["log"][-1]["text"] == "cancelled: by api"
        assert client.get("/api/jobs/unknown").status_code == 404

        instance_id = next(iter(site.instances))
        path = f"/api/instances/{instance_id}/truth"
        said = client.put(path, json={"label": None, "author": "ann"})
        assert (said.status_code, said.json()["label"], said.json()["history"][-1]["author"]) == (200, None, "tester")
        assert client.put(path, json={"label": "knee_ap", "author": "ann"}).status_code == 422
        assert client.put(path, json={"label": "knee_ap", "author": "ann", "new_class": True}).status_code == 200
        assert client.put(path, json={"author": "ann"}).status_code == 422
        assert client.put(f"/api/instances/{'0' * 8}/truth", json={"label": None, "author": "a"}).status_code == 404
        assert client.delete(f"/api/instances/{'0' * 8}/truth", params={"author": "ann"}).status_code == 404
        assert client.delete(path).status_code == 422
        withdrawn = client.delete(path, params={"author": "ann"})
        assert (withdrawn.status_code, withdrawn.json()["withdrawn"]) == (200, True)
        assert client.put(path, json={"label": "knee_ap", "author": "ann", "new_class": True}).status_code == 200
        # The new class of that truth is not among the classes of a job that does not name it.
        refused = client.post("/api/jobs", json={"author": "ann", "rehearsal": 0})
        assert (refused.status_code, "knee_ap (1)" in refused.json()["detail"]) == (422, True)


def test_a_job_is_asked_for_and_cancelled_in_the_name_of_the_tokens_owner(site: Site, tmp_path: Path) -> None:
    own = AccessSite("", str(tmp_path / "records"), site.environment)
    own.add("anna", Role.REVIEWER)
    with gateway_process.gateway(own.environment) as client:
        client.headers.update(bearer(own.token("anna", Role.REVIEWER)))
        job = client.post("/api/jobs", json={"instances": list(site.instances)[1:], "rehearsal": 0})
        assert (job.status_code, job.json()["author"]) == (201, "anna"), job.text
        cancelled = client.delete(f"/api/jobs/{job.json()['id']}").json()
        assert cancelled["log"][-1]["text"] == "cancelled: by anna"
    own.dispose()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"epochs": 3}', "an author is needed"),
        (b'{"author": "ann", "epochs": "many"}', "epochs must be a number"),
        (b'{"author": "ann", "classes": 3}', "classes must be a list of strings"),
        (b'{"author": 3}', "author must be a string"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_an_invalid_job_is_refused_with_the_reason(shared: httpx.Client, body: bytes, reason: str) -> None:
    answer = shared.post("/api/jobs", content=body)
    assert (answer.status_code, reason in answer.json()["detail"]) == (422, True), answer.text


def test_a_request_over_the_size_limit_is_refused(shared: httpx.Client) -> None:
    assert shared.post("/api/jobs", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert shared.post("/api/jobs", content=b" " * MAX_BODY_BYTES).status_code == 422


@pytest.fixture(scope="module")
def shared(site: Site) -> Iterator[httpx.Client]:
    with gateway(site, TOKEN) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


def test_without_a_token_in_the_settings_every_request_is_refused(site: Site) -> None:
    with gateway(site, "") as client:
        answer = client.get("/api/jobs", headers={"Authorization": "Bearer any"})
    assert (answer.status_code, "MSK_API_TOKEN is not set" in answer.json()["detail"]) == (503, True)
