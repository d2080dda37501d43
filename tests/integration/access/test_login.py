"""People sign in by a browser's means, and stay signed in for as long as they may."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from tests.access_site import HTML, PASSWORD, AccessSite, another, bearer, browser, browser_token, sign_in
from tests.certificates import Authority
from workers.access.accounts import invite, remove_account, set_password, set_role
from workers.access.passwords import hashed
from workers.access.role import Role
from workers.access.throttle import PER_ACCOUNT, PER_ADDRESS, begin_try
from workers.records.access_tables import accounts, login_failures, sessions

PAST = "2020-01-01T00:00:00+00:00"


def cookie(answer: httpx.Response, name: str = "msk_session") -> list[str]:
    """Value and attributes of a cookie that the answer sets."""
    (found,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}=")]
    return found.split("; ")


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/", headers=HTML).status_code == 200


def test_signing_in_and_out(site: AccessSite, client: httpx.Client) -> None:
    name = site.add("anna", Role.REVIEWER)
    assert client.get("/users?a=b", headers=HTML).headers["location"] == "/login?next=/users%3Fa%3Db"
    answer = sign_in(client, " Anna ", target="/api/jobs?count=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/jobs?count=1")
    assert set(cookie(answer)[1:]) == {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"}
    page = client.get("/", headers=HTML)
    assert "anna, reviewer" in page.text and page.headers["cache-control"] == "no-store"
    kept = dict(client.cookies)
    assert client.post("/logout", data={"csrf": browser_token(page)}).headers["location"] == "/login"
    assert not is_signed_in(client)
    client.cookies.update(kept)  # whoever copied the cookie is signed out too
    assert not is_signed_in(client)
    assert site.audited()[-1] == (name, "login", name)


def test_what_is_kept_gives_no_secret_away(lone_site: AccessSite) -> None:
    lone_site.add("anna", Role.ADMIN)
    token = lone_site.token("anna", Role.ADMIN)
    with lone_site.records.writing() as connection:
        link = invite(connection, "anna", by="test")
    with lone_site.gateway() as client:
        sign_in(client, "anna")
        session = client.cookies["msk_session"].partition(".")[0]
    lone_site.records.dispose()
    kept = b"".join(file.read_bytes() for file in Path(lone_site.place).iterdir())
    assert b"$argon2id$" in kept and b"anna" in kept
    assert not [secret for secret in (PASSWORD, token, link, session) if secret.encode() in kept]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"])
def test_nobody_is_sent_to_another_site(site: AccessSite, client: httpx.Client, target: str) -> None:
    site.add("anna", Role.VIEWER)
    assert sign_in(client, "anna", target=target).headers["location"] == "/"


def test_a_wrong_name_and_a_wrong_password_are_told_in_the_same_words(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    wrong = sign_in(client, "anna", "another password")
    unknown = sign_in(client, "hunter2-typed-into-the-wrong-field", "another password")
    assert wrong.status_code == unknown.status_code == 401
    assert "Name or password is wrong." in wrong.text and "Name or password is wrong." in unknown.text
    assert not is_signed_in(client)
    assert site.audited()[-2:] == [("anna", "login failed", "anna"), ("", "login failed", "")]


def test_by_tls_the_cookie_is_sent_by_tls_alone(lone_site: AccessSite, tmp_path: Path) -> None:
    lone_site.add("anna", Role.VIEWER)
    identity = Authority(tmp_path / "authority").issue("gateway")
    with lone_site.gateway(identity=identity) as client:
        assert "Secure" in cookie(client.get("/login"), "msk_form")
        assert "Secure" in cookie(sign_in(client, "anna"))


@pytest.mark.parametrize(("proxies", "secure"), [("127.0.0.0/8", True), ("10.0.0.5", False)])
def test_so_it_is_where_a_trusted_proxy_says_so(
    access_broker: str, tmp_path: Path, proxies: str, *, secure: bool
) -> None:
    site = AccessSite(access_broker, str(tmp_path / "records"), {"MSK_TRUSTED_PROXIES": proxies})
    site.add("anna", Role.VIEWER)
    with site.gateway() as client:
        form = {"name": "anna", "password": PASSWORD, "csrf": browser_token(client.get("/login"))}
        assert ("Secure" in cookie(client.post("/login", data=form, headers={"X-Forwarded-Proto": "https"}))) is secure


def test_a_session_ends_with_its_time(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    with browser(client, "anna") as anna:
        with site.engine.begin() as connection:
            connection.execute(update(sessions).values(expires_at=PAST))
        assert not is_signed_in(anna)
        assert sign_in(anna, "anna").status_code == 303
        with site.records.reading() as connection:
            assert PAST not in connection.scalars(select(sessions.c.expires_at)).all()


def test_a_session_outlives_the_gateway(lone_site: AccessSite) -> None:
    lone_site.add("anna", Role.VIEWER)
    with lone_site.gateway() as client:
        sign_in(client, "anna")
        kept = dict(client.cookies)
    with lone_site.gateway() as client:
        client.cookies.update(kept)
        assert is_signed_in(client)


def test_another_password_and_the_end_of_the_account_end_its_sessions(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    with browser(client, "anna") as anna, browser(client, "boss") as boss:
        assert is_signed_in(anna)
        with site.records.writing() as connection:
            set_password(connection, "anna", hashed("quite another one"), by="test")
        assert not is_signed_in(anna)
        assert sign_in(anna, "anna").status_code == 401
        assert sign_in(anna, "anna", "quite another one").status_code == 303
        with site.records.writing() as connection:
            remove_account(connection, "anna", by="test")
        assert not is_signed_in(anna)
        assert sign_in(anna, "anna", "quite another one").status_code == 401
        assert is_signed_in(boss)


def test_another_role_counts_at_once(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.ADMIN)
    with browser(client, "anna") as anna:
        assert anna.get("/users").status_code == 200
        with site.records.writing() as connection:
            set_role(connection, "anna", Role.REVIEWER, by="test")
        assert anna.get("/users").json()["detail"] == "this needs the role admin, and anna is reviewer"
        page = anna.get("/users", headers=HTML)
        assert page.status_code == 403 and "this needs the role admin" in page.text


@pytest.mark.parametrize("tampered", ["", "x", "{0}x", "x{0}", "{1}.AAAA", "{1}"])
def test_a_cookie_that_was_not_signed_here_counts_for_nothing(
    site: AccessSite, client: httpx.Client, tampered: str
) -> None:
    site.add("anna", Role.ADMIN)
    sign_in(client, "anna")
    whole = client.cookies["msk_session"]
    client.cookies.clear()
    client.cookies.set("msk_session", tampered.format(whole, whole.partition(".")[0]))
    assert not is_signed_in(client)


def fail(client: httpx.Client, name: str, times: int) -> None:
    for _ in range(times):
        assert sign_in(client, name, "a wrong password").status_code == 401


def test_after_too_many_failures_an_account_is_let_in_only_later(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    before = len(site.audited())
    fail(client, "anna", PER_ACCOUNT)
    for name in ("anna", "ANNA"):
        refused = sign_in(client, name)
        assert refused.status_code == 429 and "Too many failed logins" in refused.text
        assert 0 < int(refused.headers["retry-after"]) <= 15 * 60
    assert sign_in(client, "boss").status_code == 303
    with site.engine.begin() as connection:
        connection.execute(update(login_failures).values(until=PAST))
    assert sign_in(client, "anna").status_code == 303
    assert [what for _, what, _ in site.audited()[before:]].count("login throttled") == 1


def test_after_too_many_failures_an_address_is_let_in_only_later(site: AccessSite, client: httpx.Client) -> None:
    with site.engine.begin() as connection:
        for _ in range(PER_ADDRESS - 1):
            begin_try(connection, "somebody", "127.0.0.1")
    fail(client, "anybody", 1)
    assert sign_in(client, "boss").status_code == 429


def test_a_restart_forgets_no_failure(lone_site: AccessSite) -> None:
    lone_site.add("anna", Role.VIEWER)
    with lone_site.gateway() as client:
        fail(client, "anna", PER_ACCOUNT)
    with lone_site.gateway() as client:
        assert sign_in(client, "anna").status_code == 429


def test_a_login_that_succeeds_makes_earlier_failures_forgotten(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    for _ in range(2):
        fail(client, "anna", PER_ACCOUNT - 1)
        assert sign_in(client, "anna").status_code == 303


def test_a_link_chooses_a_password_once(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    with site.records.writing() as connection:
        earlier, link = (invite(connection, "anna", by="test") for _ in range(2))
    assert client.get("/login", params={"once": earlier}).status_code == 410
    page = client.get("/login", params={"once": link})
    assert "<strong>anna</strong>" in page.text
    form = {"once": link, "csrf": browser_token(page)}
    different = client.post("/login", data=form | {"password": "a long password", "again": "another password"})
    assert different.status_code == 422 and "The two passwords differ." in different.text
    short = client.post("/login", data=form | {"password": "short", "again": "short"})
    assert short.status_code == 422 and "12 to 200 characters" in short.text
    new = {"password": "a long password", "again": "a long password"}
    assert client.post("/login", data=form | new).headers["location"] == "/"
    assert is_signed_in(client)
    assert client.post("/login", data=form | new).status_code == 422
    client.cookies.clear()
    assert sign_in(client, "anna").status_code == 401
    assert sign_in(client, "anna", "a long password").status_code == 303


def test_a_link_that_is_too_old_chooses_nothing(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    with site.records.writing() as connection:
        link = invite(connection, "anna", by="test")
        connection.execute(update(accounts).values(invited_until=PAST))
    assert client.get("/login", params={"once": link}).status_code == 410
    form = {"once": link, "csrf": browser_token(client.get("/login"))}
    assert client.post("/login", data=form | {"password": PASSWORD * 2, "again": PASSWORD * 2}).status_code == 422


def test_forms_of_other_sites_are_refused(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.ADMIN)
    with browser(client, "anna") as anna, browser(client, "anna") as other:
        token, others = browser_token(anna.get("/users")), browser_token(other.get("/users"))
        form = {"name": "ben", "role": "viewer"}
        for forged in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": others}):
            refused = anna.post("/users", data=form | forged)
            assert (refused.status_code, "not one of ours" in refused.json()["detail"]) == (403, True)
        assert anna.put("/api/instances/a/truth", json={"label": None}).status_code == 403
        assert anna.delete("/api/jobs/a").status_code == 403
        assert anna.post("/logout").status_code == 403
        assert is_signed_in(anna)
        assert anna.post("/users", data=form | {"csrf": token}).status_code == 200
        assert anna.post("/users", data={"name": "eve", "role": "viewer"}, headers={"X-CSRF-Token": token}).is_success
        assert anna.put("/api/jobs", headers={"X-CSRF-Token": token}).status_code == 405


def test_nobody_is_signed_in_by_another_sites_form(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.VIEWER)
    with another(client) as attacker:
        theirs = browser_token(attacker.get("/login"))
    for forged in ({}, {"csrf": theirs}):
        assert client.post("/login", data={"name": "anna", "password": PASSWORD} | forged).status_code == 403
    client.get("/login")
    assert client.post("/login", data={"name": "anna", "password": PASSWORD, "csrf": theirs}).status_code == 403


def test_a_token_needs_no_token_against_forgery(site: AccessSite, client: httpx.Client) -> None:
    site.add("anna", Role.ADMIN)
    made = client.post("/users", data={"name": "ben", "role": "viewer"}, headers=bearer(site.token("anna", Role.ADMIN)))
    assert made.status_code == 200


def test_a_form_has_a_limit(client: httpx.Client) -> None:
    assert client.post("/login", data={"name": "x" * 100_000}).status_code == 413
