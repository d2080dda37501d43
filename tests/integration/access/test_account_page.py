"""People look after their own tokens and password by a browser, and administrators after all tokens."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.access_site import (
    HTML,
    MACHINE_TOKEN,
    PASSWORD,
    AccessSite,
    another,
    bearer,
    browser,
    browser_token,
    sign_in,
)
from workers.access.role import Role
from workers.access.throttle import PER_ACCOUNT
from workers.access.tokens import Token, tokens_of

NEW = "quite another password"


@pytest.fixture
def anna(site: AccessSite, client: httpx.Client) -> Iterator[httpx.Client]:
    """A browser in which the reviewer anna is signed in."""
    site.add("anna", Role.REVIEWER)
    with browser(client, "anna") as anna:
        anna.headers.update(HTML)
        yield anna


def send(person: httpx.Client, path: str, page: str = "/account", **fields: str) -> httpx.Response:
    """Fill in a form of the page, and send it."""
    return person.post(path, data=fields | {"csrf": browser_token(person.get(page))})


def tokens(site: AccessSite, name: str) -> list[Token]:
    with site.records.reading() as connection:
        return tokens_of(connection, name)


def test_a_token_is_made_shown_once_used_and_revoked(
    site: AccessSite, client: httpx.Client, anna: httpx.Client
) -> None:
    made = send(anna, "/account/tokens", role="viewer", days="7")
    (text,) = re.findall(r'id="token">(msk_[\w-]+)<', made.text)
    assert made.headers["cache-control"] == "no-store"
    assert client.get("/api/jobs", headers=bearer(text)).status_code == 200
    assert client.get("/review", headers=bearer(text)).status_code == 403, "it is a viewer's"
    (token,) = tokens(site, "anna")
    later = anna.get("/account").text
    assert token.id in later and text not in later
    assert send(anna, f"/account/tokens/{token.id}/revoke").headers["location"] == "/account"
    assert client.get("/api/jobs", headers=bearer(text)).status_code == 401
    assert site.audited()[-2:] == [("anna", "token added", token.id), ("anna", "token revoked", token.id)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "admin", "days": "7"}, "a token may not be more than its owner"),
        ({"role": "emperor", "days": "7"}, "a role is one of"),
        ({"role": "viewer", "days": "0"}, "days is a whole number"),
        ({"role": "viewer", "days": "3651"}, "days is a whole number"),
        ({"role": "viewer", "days": "9" * 5000}, "days is a whole number"),
        ({"role": "viewer", "days": "-1"}, "days is a whole number"),
        ({"role": "viewer"}, "days is a whole number"),
    ],
    ids=str,
)
def test_what_cannot_be_a_token_is_refused(
    site: AccessSite, anna: httpx.Client, fields: dict[str, str], said: str
) -> None:
    refused = send(anna, "/account/tokens", **fields)
    assert (refused.status_code, said in refused.text) == (422, True)
    assert tokens(site, "anna") == []


def test_nobody_sees_or_revokes_anothers_token_but_an_administrator(
    site: AccessSite, client: httpx.Client, anna: httpx.Client
) -> None:
    site.add("ben", Role.REVIEWER)
    text = site.token("ben", Role.REVIEWER)
    (bens,) = tokens(site, "ben")
    assert bens.id not in anna.get("/account").text
    refused = send(anna, f"/account/tokens/{bens.id}/revoke")
    assert (refused.status_code, "There is no such token" in refused.text) == (422, True)
    assert send(anna, f"/users/tokens/{bens.id}/revoke").status_code == 403
    assert client.get("/api/jobs", headers=bearer(text)).status_code == 200
    with browser(client, "boss") as boss:
        boss.headers.update(HTML)
        assert f"Revoke the token {bens.id} of ben" in boss.get("/users").text
        assert send(boss, f"/users/tokens/{bens.id}/revoke", "/users").headers["location"] == "/users"
        assert send(boss, f"/users/tokens/{bens.id}/revoke", "/users").status_code == 422
    assert client.get("/api/jobs", headers=bearer(text)).status_code == 401
    assert site.audited()[-1] == ("boss", "token revoked", bens.id)


@pytest.mark.parametrize("machine", [True, False])
def test_a_token_makes_no_other_and_changes_no_password(
    site: AccessSite, client: httpx.Client, *, machine: bool
) -> None:
    text = MACHINE_TOKEN if machine else site.token("boss", Role.VIEWER)
    (own,) = tokens(site, "boss") or [None]
    for path, fields in {
        "tokens": {"role": "admin", "days": "7"},
        f"tokens/{own.id if own else 'none'}/revoke": {},
        "password": {"present": PASSWORD, "password": NEW, "again": NEW},
    }.items():
        refused = client.post(f"/account/{path}", data=fields, headers=bearer(text))
        assert (refused.status_code, "by whoever signs in" in refused.text) == (422, True)
    assert tokens(site, "boss") == ([own] if own else [])
    assert sign_in(client, "boss").status_code == 303


def test_another_password_signs_out_elsewhere_and_not_here(
    site: AccessSite, client: httpx.Client, anna: httpx.Client
) -> None:
    with browser(client, "anna") as elsewhere:
        changed = send(anna, "/account/password", present=PASSWORD, password=NEW, again=NEW)
        assert changed.headers["location"] == "/account?done=password"
        assert "The password is changed." in anna.get(changed.headers["location"]).text
        assert elsewhere.get("/account", headers=HTML).status_code == 303
    with another(client) as later:
        assert sign_in(later, "anna").status_code == 401
        assert sign_in(later, "anna", NEW).status_code == 303
    assert ("anna", "password changed", "anna") in site.audited()


@pytest.mark.parametrize(
    ("present", "password", "again", "said"),
    [
        ("a wrong password", NEW, NEW, "The present password is another one."),
        (PASSWORD, NEW, NEW + "x", "The two passwords differ."),
        (PASSWORD, "short", "short", "12 to 200 characters"),
    ],
)
def test_a_password_stays_as_it_is(
    client: httpx.Client, anna: httpx.Client, present: str, password: str, again: str, said: str
) -> None:
    refused = send(anna, "/account/password", present=present, password=password, again=again)
    assert (refused.status_code, said in refused.text) == (422, True)
    assert anna.get("/account").status_code == 200, "still signed in"
    with another(client) as later:
        assert sign_in(later, "anna").status_code == 303


def test_whoever_sits_at_anothers_browser_guesses_no_password(anna: httpx.Client) -> None:
    wrong = {"present": "a wrong password", "password": NEW, "again": NEW}
    for _ in range(PER_ACCOUNT):
        assert send(anna, "/account/password", **wrong).status_code == 422
    refused = send(anna, "/account/password", **(wrong | {"present": PASSWORD}))
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/account/tokens", "/account/tokens/none/revoke", "/account/password"])
def test_forms_of_other_sites_are_refused(anna: httpx.Client, path: str) -> None:
    assert anna.post(path, data={"role": "viewer", "days": "7"}).status_code == 403
