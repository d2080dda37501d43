"""What several folders share: a site whose people say what instances show, and the tables of the records."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tests.postgresql import PostgreSql, postgresql
from tests.servers import Orthanc, running_orthanc
from tests.truth_site import TruthSite, empty_site
from workers.records.database import open_database
from workers.records.schema import migrate


@pytest.fixture(scope="session")
def truth_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that tests of truths may fill, and kill if they start it again."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def site(truth_server: Orthanc, tmp_path: Path) -> TruthSite:
    """It, emptied, with a registry of its own."""
    return empty_site(truth_server, tmp_path / "models")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSql]:
    with postgresql() as server:
        yield server


@pytest.fixture
def postgresql_place(postgresql_server: PostgreSql) -> str:
    """A database without any table."""
    engine = open_database(postgresql_server.url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgresql_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """To the tables of the records, empty, in both kinds of database."""
    is_sqlite = request.param == "sqlite"
    engine = open_database(str(tmp_path) if is_sqlite else request.getfixturevalue("postgresql_place"))
    with engine.connect() as connection:
        migrate(connection)
        with connection.begin() as transaction:
            yield connection
            transaction.rollback()
    engine.dispose()
