"""Programs use the API by tokens: with their role, until they expire or are revoked."""

from datetime import timedelta

import httpx
from sqlalchemy import update

from tests.access_site import AccessSite, bearer
from workers.access.accounts import remove_account, set_role
from workers.access.role import Role
from workers.access.tokens import revoke_token, tokens_of
from workers.records.access_tables import tokens


def status(client: httpx.Client, token: str, path: str = "/api/jobs") -> int:
    return client.get(path, headers=bearer(token)).status_code


def test_a_token_works_until_it_is_revoked(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    token, other = (site.token("anna", Role.VIEWER) for _ in range(2))
    assert status(client, token) == status(client, other) == 200
    with site.records.writing() as connection:
        revoked = tokens_of(connection)[0].id
        revoke_token(connection, revoked, by="test")
    assert sorted((status(client, token), status(client, other))) == [200, 401]
    assert site.audited()[-1] == ("test", "token revoked", revoked)


def test_a_token_works_until_it_expires(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    token = site.token("anna", Role.VIEWER, timedelta(hours=1))
    assert status(client, token) == 200
    with site.engine.begin() as connection:
        connection.execute(update(tokens).values(expires_at="2020-01-01T00:00:00+00:00"))
    assert status(client, token) == 401


def test_a_token_is_never_more_than_its_owner_and_goes_with_them(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.ADMIN)
    token = site.token("anna", Role.ADMIN)
    assert status(client, token, "/users") == 200
    with site.records.writing() as connection:
        set_role(connection, "anna", Role.VIEWER, by="test")
    assert (status(client, token, "/users"), status(client, token)) == (403, 200)
    with site.records.writing() as connection:
        remove_account(connection, "anna", by="test")
    assert status(client, token) == 401


def test_a_token_is_no_cookie_and_a_cookie_no_token(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.ADMIN)
    token = site.token("anna", Role.ADMIN)
    assert client.get("/api/jobs", headers={"Cookie": f"msk_session={token}"}).status_code == 401
    assert client.get("/api/jobs", headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert status(client, "msk_") == 401
