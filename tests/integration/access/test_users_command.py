"""`msk users` on the machine that has the records, also while the gateway runs."""

import getpass
import json
import re

import httpx

from tests.access_site import HTML, AccessSite, bearer, sign_in


def test_accounts_are_added_listed_changed_and_removed(site: AccessSite, client: httpx.Client) -> None:
    me = getpass.getuser()
    added = site.msk("users", "add", "Carla", "--role", "admin")
    assert added.returncode == 0, added.stderr
    (link,) = re.findall(r"/login\?once=\S+", added.stdout)
    assert "carla" in client.get(link).text
    typed = "a password from a pipe"
    assert site.msk("users", "add", "dora", "--ask", typed=f"{typed}\n").returncode == 0
    assert sign_in(client, "dora", typed).status_code == 303
    assert site.msk("users", "role", "dora", "reviewer").returncode == 0
    assert "dora, reviewer" in client.get("/", headers=HTML).text
    assert site.msk("users", "password", "dora", "--ask", typed="another one from a pipe\n").returncode == 0
    assert client.get("/", headers=HTML).status_code == 303
    listed = json.loads(site.msk("users", "list", "--json").stdout)
    assert [(each["name"], each["role"], each["has_password"]) for each in listed] == [
        ("boss", "admin", True),
        ("carla", "admin", False),
        ("dora", "reviewer", True),
    ]
    assert site.msk("users", "remove", "dora").returncode == 0
    assert sign_in(client, "dora", "another one from a pipe").status_code == 401
    assert [(who, what) for who, what, subject in site.audited() if subject == "dora"] == [
        (me, "account added"),
        (me, "password changed"),
        ("dora", "login"),
        (me, "role changed"),
        (me, "password changed"),
        (me, "account removed"),
    ]


def test_tokens_are_shown_once_and_revoked(site: AccessSite, client: httpx.Client) -> None:
    made = site.msk("users", "token", "add", "boss", "--role", "viewer", "--days", "1")
    token = made.stdout.strip()
    assert client.get("/api/jobs", headers=bearer(token)).status_code == 200
    assert client.get("/users", headers=bearer(token)).status_code == 403
    listed = site.msk("users", "token", "list", "--json").stdout
    (shown,) = json.loads(listed)
    assert (shown["account"], shown["role"], token in listed) == ("boss", "viewer", False)
    assert site.msk("users", "token", "revoke", shown["id"]).returncode == 0
    assert client.get("/api/jobs", headers=bearer(token)).status_code == 401


def test_what_cannot_be_done_is_said_in_one_line(site: AccessSite) -> None:
    site.msk("users", "add", "anna")
    for arguments, said in {
        ("remove", "boss"): "that would leave no administrator",
        ("role", "boss", "viewer"): "that would leave no administrator",
        ("add", "boss"): "there is an account boss already",
        ("add", "Quincy Jones"): "the name of an account has",
        ("remove", "nobody"): "there is no such account",
        ("password", "anna", "--ask"): "a password has 12 to 200 characters",
        ("token", "add", "anna", "--role", "admin"): "a token may not be more than its owner",
        ("token", "revoke", "nothing"): "there is no such token",
    }.items():
        done = site.msk("users", *arguments, typed="short\n")
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr


def test_without_records_the_variable_is_named(site: AccessSite) -> None:
    done = AccessSite(site.broker_url, "").msk("users", "list")
    assert (done.returncode, "MSK_RECORDS is not set" in done.stderr) == (1, True)
