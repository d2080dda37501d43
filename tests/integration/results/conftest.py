"""A site whose results leave it, with a study for each test."""

from collections.abc import Iterator
from zlib import crc32

import pytest

from tests.broker import valkey
from tests.results_site import ResultsSite
from tests.servers import running_orthanc


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultsSite]:
    with (
        running_orthanc(tmp_path_factory.mktemp("orthanc")) as server,
        valkey(tmp_path_factory.mktemp("valkey")) as broker_url,
    ):
        site = ResultsSite.of(server, broker_url)
        yield site
        site.orthanc.close()


@pytest.fixture
def site(servers: ResultsSite, request: pytest.FixtureRequest) -> ResultsSite:
    servers.broker.flushall()
    return servers.of_study(f"2.25.{crc32(request.node.nodeid.encode())}")
