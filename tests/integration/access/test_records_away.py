"""While the records are away, webhooks and the machine's own token go on, and everybody else is told why they wait."""

from collections.abc import Iterator

import httpx
import pytest

from tests.access_site import HTML, MACHINE_TOKEN, AccessSite, another, bearer, browser, browser_token
from tests.deliveries import BODY, signed
from tests.postgresql import PostgreSql, postgresql
from workers.access.role import Role

SAID = "the records do not answer: nobody listens there (connection refused)"


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    with postgresql() as server:
        yield server


def test_the_gateway_starts_and_works_without_them(access_broker: str) -> None:
    site = AccessSite(access_broker, "postgresql://msk:secret@127.0.0.1:1/records")
    with site.gateway() as client:
        check_what_goes_on(client)
        page = client.get("/login")
        typed = {"name": "anna", "password": "x" * 12, "csrf": browser_token(page)}
        refused = client.post("/login", data=typed, headers=HTML)
        assert refused.status_code == 503 and SAID.removesuffix(")") in refused.text
        assert client.get("/api/jobs", headers=bearer("msk_token")).json() == {"detail": SAID}


def test_when_they_are_back_whoever_was_signed_in_still_is(access_broker: str, server: PostgreSql) -> None:
    site = AccessSite(access_broker, server.url)
    site.add("anna", Role.VIEWER)
    with site.gateway() as client, browser(client, "anna") as anna:
        site.dispose()
        server.stop()
        try:
            refused = anna.get("/")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert anna.get("/", headers=HTML).status_code == 503
            with another(client) as stranger:
                check_what_goes_on(stranger)
        finally:
            server.start()
        assert anna.get("/").status_code == 200


def test_a_site_without_records_says_so(access_broker: str) -> None:
    with AccessSite(access_broker, "").gateway() as client:
        check_what_goes_on(client)
        assert "MSK_RECORDS is not set" in client.get("/login?once=a").text
        assert client.get("/api/jobs", headers={"Cookie": "msk_session=a.b"}).status_code == 401


def check_what_goes_on(client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert client.post("/hooks/orthanc", content=BODY, headers=signed()).status_code == 202
    assert client.get("/api/jobs", headers=bearer(MACHINE_TOKEN)).status_code == 200
