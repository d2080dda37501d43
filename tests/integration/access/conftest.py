"""A site with accounts, in SQLite or PostgreSQL, and its gateway, which the tests of a file share."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete

from tests.access_site import AccessSite, another
from tests.broker import valkey
from tests.postgresql import PostgreSql, postgresql
from workers.access.role import Role
from workers.records.access_tables import accounts, login_failures


@pytest.fixture(scope="session")
def access_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def access_postgresql() -> Iterator[PostgreSql]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, access_broker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AccessSite, httpx.Client]]:
    """A site, once with each kind of database, and a client of its gateway."""
    if request.param == "sqlite":
        place = str(tmp_path_factory.mktemp("site") / "records")
    else:
        place = request.getfixturevalue("access_postgresql").url
    site = AccessSite(access_broker, place)
    with site.gateway() as client:
        yield site, client
    site.dispose()


@pytest.fixture
def site(running: tuple[AccessSite, httpx.Client]) -> AccessSite:
    """The site with one account, that of the administrator `boss`."""
    site = running[0]
    with site.records.writing() as connection:
        for table in (accounts, login_failures):
            connection.execute(delete(table))
    site.add("boss", Role.ADMIN)
    return site


@pytest.fixture
def client(running: tuple[AccessSite, httpx.Client]) -> Iterator[httpx.Client]:
    """A browser without cookies."""
    with another(running[1]) as client:
        yield client


@pytest.fixture
def lone_site(access_broker: str, tmp_path: Path) -> Iterator[AccessSite]:
    """A site with SQLite whose gateway the test starts."""
    site = AccessSite(access_broker, str(tmp_path / "records"))
    yield site
    site.dispose()
