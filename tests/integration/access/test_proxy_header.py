"""A proxy that signs people in is believed where the settings name its address."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from tests.access_site import HTML, AccessSite, browser_token
from workers.access.role import Role
from workers.records.schema import audit_log

HEADER = "X-Remote-User"


def site_of(broker_url: str, folder: Path, **variables: str) -> AccessSite:
    return AccessSite(broker_url, str(folder / "records"), {"MSK_USER_HEADER": HEADER} | variables)


def status(client: httpx.Client, path: str, *names: str) -> int:
    return client.get(path, headers=[(HEADER, name) for name in names]).status_code


def test_whom_it_names_has_the_role_of_the_account_or_that_of_everybody(access_broker: str, tmp_path: Path) -> None:
    trusted = {"MSK_TRUSTED_PROXIES": "127.0.0.1", "MSK_USER_HEADER_ROLE": "viewer"}
    site = site_of(access_broker, tmp_path, **trusted)
    site.add("anna", Role.ADMIN)
    with site.gateway() as client:
        assert status(client, "/users", "Anna") == 200
        assert status(client, "/users", "ben@hospital.example") == 403
        assert status(client, "/api/jobs", "ben@hospital.example") == 200
        assert status(client, "/api/jobs") == status(client, "/api/jobs", "") == 401
        assert status(client, "/api/jobs", "Quincy Jones") == status(client, "/users", "anna", "anna") == 403


@pytest.mark.parametrize("proxies", ["", "10.0.0.5", "127.0.0.2/32"])
def test_anybody_else_who_sends_the_header_is_a_stranger(access_broker: str, tmp_path: Path, proxies: str) -> None:
    site = site_of(access_broker, tmp_path, MSK_TRUSTED_PROXIES=proxies, MSK_USER_HEADER_ROLE="admin")
    site.add("anna", Role.ADMIN)
    with site.gateway() as client:
        for said in ({}, {"X-Forwarded-For": "10.0.0.5"}, {"Forwarded": "for=10.0.0.5"}):
            assert client.get("/users", headers={HEADER: "anna"} | said).status_code == 401


def test_without_a_role_for_everybody_only_those_with_an_account_are_let_in(access_broker: str, tmp_path: Path) -> None:
    site = site_of(access_broker, tmp_path, MSK_TRUSTED_PROXIES="127.0.0.1")
    site.add("anna", Role.VIEWER)
    with site.gateway() as client:
        assert status(client, "/", "anna") == 200
        refused = client.get("/", headers={HEADER: "ben"})
        assert (refused.status_code, "ben has no account here" in refused.text) == (403, True)


def test_forms_carry_a_token_for_those_whom_it_names_too(access_broker: str, tmp_path: Path) -> None:
    site = site_of(access_broker, tmp_path, MSK_TRUSTED_PROXIES="127.0.0.1")
    site.add("anna", Role.ADMIN)
    with site.gateway() as client:
        client.headers[HEADER] = "anna"
        form = {"name": "ben", "role": "viewer"}
        assert client.post("/users", data=form).status_code == 403
        page = client.get("/users", headers=HTML)
        assert "Sign out" not in page.text
        assert client.post("/users", data=form | {"csrf": browser_token(page)}).status_code == 200
    assert ("anna", "account added", "ben") in site.audited()


def test_failures_behind_a_trusted_proxy_count_for_the_address_that_it_names(
    access_broker: str, tmp_path: Path
) -> None:
    site = site_of(access_broker, tmp_path, MSK_TRUSTED_PROXIES="127.0.0.1")
    site.add("anna", Role.VIEWER)
    with site.gateway() as client:
        form = {"name": "anna", "password": "wrong", "csrf": browser_token(client.get("/login"))}
        client.post("/login", data=form, headers={"X-Forwarded-For": "8.8.8.8, 192.168.1.5"})
    with site.records.reading() as connection:
        details = connection.scalars(select(audit_log.c.details).where(audit_log.c.action == "login failed")).all()
    assert details == [{"address": "192.168.1.5"}]
