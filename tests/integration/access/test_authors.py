"""What is said over the API is said by whoever asks, and by nobody else."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from mskmodel.dicom.writing import Header, write_dx
from tests.access_site import MACHINE_TOKEN, AccessSite, another, bearer, browser, browser_token
from tests.servers import Orthanc, running_orthanc
from workers.access.role import Role


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def site(orthanc: Orthanc, access_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    site = AccessSite(access_broker, str(tmp_path_factory.mktemp("site") / "records"), orthanc.access)
    site.add("anna", Role.REVIEWER)
    yield site
    site.dispose()


@pytest.fixture(scope="module")
def gateway(site: AccessSite) -> Iterator[httpx.Client]:
    with site.gateway() as client:
        yield client


@pytest.fixture
def path(orthanc: Orthanc, tmp_path: Path) -> str:
    """The address of a new instance's truth."""
    pixels = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24)
    return f"/api/instances/{orthanc.upload(write_dx(pixels, header=Header(identity=tmp_path.name), bits=12))}/truth"


@pytest.fixture(params=["token", "browser"])
def anna(request: pytest.FixtureRequest, site: AccessSite, gateway: httpx.Client) -> Iterator[httpx.Client]:
    """Anna's client: a program with her token, or a browser in which she is signed in."""
    if request.param == "token":
        with another(gateway) as client:
            client.headers.update(bearer(site.token("anna", Role.REVIEWER)))
            yield client
    else:
        with browser(gateway, "anna") as client:
            client.headers["X-CSRF-Token"] = browser_token(client.get("/"))
            yield client


@pytest.mark.parametrize("named", [{}, {"author": "anna"}, {"author": ""}], ids=str)
def test_a_truth_has_its_speaker_as_author(anna: httpx.Client, path: str, named: dict[str, str]) -> None:
    assert anna.put(path, json={"label": "knee_ap"} | named).json()["author"] == "anna"
    assert anna.delete(path, params=named).json()["author"] == "anna"


def test_nobody_speaks_for_another(anna: httpx.Client, path: str) -> None:
    for refused in (
        anna.put(path, json={"label": "knee_ap", "author": "ben"}),
        anna.post("/api/jobs", json={"author": "ben"}),
        anna.delete(path, params={"author": "ben"}),
    ):
        assert refused.status_code == 403
        assert refused.json()["detail"] == "you are anna, and speak for nobody else: name yourself as author, or nobody"
    assert anna.delete(path).status_code == 404, "nothing was said"


def test_the_machines_own_token_belongs_to_nobody_and_must_name_the_author(gateway: httpx.Client, path: str) -> None:
    with another(gateway) as machine:
        machine.headers.update(bearer(MACHINE_TOKEN))
        assert machine.put(path, json={"label": "knee_ap"}).status_code == 422
        assert machine.put(path, json={"label": "knee_ap", "author": "ben"}).json()["author"] == "ben"
