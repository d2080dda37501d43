"""Every route of the gateway, as the application itself lists them, asked by everybody who may or may not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from tests.access_site import HTML, MACHINE_TOKEN, AccessSite, bearer
from workers.access.role import Role, role_needed
from workers.gateway.app import create_app
from workers.settings import Settings

#: What strangers may use, and nothing else.
OPEN = {"/healthz", "/readyz", "/login", "/static/{name:path}", "/hooks/orthanc"}
REFUSALS = {401, 403}


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    method: str
    path: str
    role: Role | None

    @property
    def address(self) -> str:
        """With something that is not there in place of the parameters."""
        return re.sub(r"{[^}]+}", "none", self.path)


def routes() -> list[Route]:
    nowhere = {"MSK_BROKER_URL": "redis://127.0.0.1:1/0", "MSK_RECORDS": ""}
    app = create_app(Settings.from_environment(AccessSite("", "").environment | nowhere))
    found = []
    for each in iter_route_contexts(app.routes):
        assert isinstance(each.original_route, APIRoute), f"{each.path} has no dependencies, so nobody would judge it"
        found += [Route(method, str(each.path), role_needed(each.endpoint)) for method in sorted(each.methods or ())]
    return found


ROUTES = routes()
CLOSED = [each for each in ROUTES if each.path not in OPEN]


def ask(client: httpx.Client, route: Route, headers: dict[str, str]) -> httpx.Response:
    """The answer, read unless it has no end."""
    with client.stream(route.method, route.address, headers=headers) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
    return answer


@pytest.fixture(scope="module")
def site(access_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    site = AccessSite(access_broker, str(tmp_path_factory.mktemp("site") / "records"))
    site.add("admin", Role.ADMIN)
    yield site
    site.dispose()


@pytest.fixture(scope="module")
def client(site: AccessSite) -> Iterator[httpx.Client]:
    with site.gateway() as client:
        yield client


@pytest.fixture(scope="module")
def tokens(site: AccessSite) -> dict[Role, str]:
    return {role: site.token("admin", role) for role in Role}


def test_every_route_but_the_open_ones_declares_a_role() -> None:
    assert {each.path for each in ROUTES if each.role is None} == OPEN
    assert {each.role for each in CLOSED} == set(Role)


@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_a_stranger_is_sent_away(client: httpx.Client, route: Route) -> None:
    for headers in ({}, HTML, bearer("wrong"), {"Cookie": "msk_session=made.up"}):
        answer = ask(client, route, headers)
        if headers is HTML and route.method == "GET" and not route.path.startswith("/api/"):
            assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={route.address}")
        else:
            assert answer.status_code == 401, answer.text
            assert route.method == "HEAD" or "/login" in answer.text


@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_a_role_that_is_too_small_is_refused_in_a_sentence_and_the_next_one_is_not(
    client: httpx.Client, tokens: dict[Role, str], route: Route
) -> None:
    for role, token in tokens.items():
        answer = ask(client, route, bearer(token))
        assert route.role is not None
        if role < route.role:
            assert answer.status_code == 403
            if route.method != "HEAD":
                detail = answer.json()["detail"]
                assert detail == f"this needs the role {route.role.word}, and admin is {role.word}"
        else:
            assert answer.status_code not in REFUSALS


@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_the_machines_own_token_may_do_everything(client: httpx.Client, route: Route) -> None:
    answer = ask(client, route, bearer(MACHINE_TOKEN))
    assert answer.status_code not in REFUSALS


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path in OPEN and each.method == "GET"], ids=str)
def test_open_routes_ask_nobody(client: httpx.Client, route: Route) -> None:
    address = "/static/theme.css" if route.path.startswith("/static/") else route.path
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("path", ["/static/../login.py", "/static/%2e%2e/login.py", "/static//etc/passwd", "/static/"])
def test_static_files_are_those_of_the_theme_alone(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/login", "/static/theme.css", "/users", "/api/jobs", "/nothing"])
def test_every_answer_says_what_browsers_must_not_do(client: httpx.Client, path: str) -> None:
    headers = client.get(path, headers=HTML).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


def test_what_is_not_there_is_said_in_the_readers_language(client: httpx.Client) -> None:
    assert client.get("/api/nothing", headers=HTML).json() == {"detail": "Not Found"}
    page = client.get("/nothing", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
