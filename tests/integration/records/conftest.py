"""A site with records: a real Orthanc, a real Valkey, and SQLite or PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import requests
from sqlalchemy import Engine, inspect, select

from mskmodel.dicom.writing import Header, write_dx
from tests.broker import valkey
from tests.servers import Orthanc, running_orthanc
from workers.pacs import OrthancClient
from workers.records.database import open_database
from workers.records.heartbeat import Heartbeat
from workers.records.schema import instances


@dataclass(frozen=True)
class Site:
    """Servers, and where the records are."""

    server: Orthanc
    broker_url: str
    place: str

    @property
    def environment(self) -> dict[str, str]:
        return self.server.access | {"MSK_BROKER_URL": self.broker_url, "MSK_RECORDS": self.place}

    @cached_property
    def orthanc(self) -> OrthancClient:
        return OrthancClient(self.server.url, self.server.user, self.server.password)

    @cached_property
    def broker(self) -> Any:
        return redis.Redis.from_url(self.broker_url, decode_responses=True)

    @cached_property
    def engine(self) -> Engine:
        return open_database(self.place)

    def store(self, *names: str, study: str = "study", patient: str = "P-1") -> list[str]:
        pixels = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24)
        headers = [Header(identity=name, study=f"{study}-{patient}", patient_id=patient) for name in names]
        return [self.orthanc.upload(write_dx(pixels, header=header, bits=12)) for header in headers]

    def delete(self, instance_ids: Sequence[str]) -> None:
        for each in instance_ids:
            login = (self.server.user, self.server.password)
            requests.delete(f"{self.server.url}/instances/{each}", auth=login, timeout=10).raise_for_status()

    def rows(self) -> dict[str, dict[str, Any]]:
        """The index, but for when each row was written; empty before its table is there."""
        if not inspect(self.engine).has_table("instances"):
            return {}
        with self.engine.connect() as connection, connection.begin():
            found = connection.execute(select(instances)).mappings().all()
        return {row["instance"]: {name: row[name] for name in row if name != "updated_at"} for row in found}

    def shows(self, instance_ids: Sequence[str]) -> bool:
        """Whether the index shows these instances and no others, and has caught up with Orthanc."""
        beat = Heartbeat.last(self.broker)
        if beat is None or beat.hurried or beat.changes < self.orthanc.last_change():
            return False
        return set(self.rows()) == set(instance_ids)

    @contextmanager
    def keeping(self, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """The process that keeps the records."""
        command = (sys.executable, "-m", "workers.cli", "records", "run")
        environment = os.environ | self.environment | variables
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()

    def msk(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = (sys.executable, "-m", "workers.cli", *arguments)
        return subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def records_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="session")
def records_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, records_orthanc: Orthanc, records_broker: str, tmp_path: Path
) -> Iterator[Site]:
    """An empty site."""
    place = str(tmp_path / "records") if request.param == "sqlite" else request.getfixturevalue("postgresql_place")
    site = Site(records_orthanc, records_broker, place)
    site.delete(site.orthanc.instance_ids(0, 100_000))
    site.broker.flushall()
    yield site
    site.engine.dispose()
    site.orthanc.close()
    site.broker.close()
