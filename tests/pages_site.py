"""A site whose people look at lists: Orthanc, Valkey, a registry, records that are kept, and a gateway."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from tests.access_site import AccessSite, browser
from tests.gateway_process import gateway
from tests.training_site import Site
from tests.waiting import until
from workers.access.role import Role
from workers.ledger import Ledger
from workers.metadata.outcome import LABELLED, PREDICTION, Outcome
from workers.records.schema import instances

#: Stands in the headers, and must stand nowhere else.
PATIENT = "patient-"
PEOPLE = {"vera": Role.VIEWER, "rita": Role.REVIEWER, "boss": Role.ADMIN}
CLAIMS = {
    "claims": [{"field": "body part", "kind": "region", "terms": ["elbow"]}],
    "side": "L",
    "group": "0123456789ab",
}


@dataclass(frozen=True)
class PagesSite:
    """``training``: the servers, and images with truths. ``client``: of the gateway, with no cookies."""

    training: Site
    access: AccessSite
    client: httpx.Client

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def ledger(self) -> Ledger:
        return self.training.ledger

    @contextmanager
    def as_(self, name: str) -> Iterator[httpx.Client]:
        """A browser in which that person is signed in."""
        with browser(self.client, name) as own:
            own.headers["Accept"] = "text/html"
            yield own

    def label(self, instance_id: str, status: str = LABELLED, **fields: Any) -> None:
        """Write the outcome that a label worker would, with these further fields."""
        told = {"label": "knee_ap", "confidence": 0.9, "model": "20261128-0a1b2c3d"} if status == LABELLED else {}
        outcome = Outcome(status, self.training.orthanc.file_identity(instance_id), 1, **told)
        text = json.dumps(json.loads(outcome.to_json()) | fields)
        self.training.orthanc.put_metadata(instance_id, PREDICTION, text)

    def indexed(self, column: str = "status") -> dict[str, Any]:
        """One column of the index, by instance."""
        with self.access.records.reading() as connection:
            found = connection.execute(select(instances.c.instance, instances.c[column]))
            return {row[0]: row[1] for row in found}

    def follow(self) -> None:
        """Wait until the index shows as many instances as Orthanc holds."""
        until(lambda: len(self.indexed()) == self.training.orthanc.statistics().instances, 120)


@contextmanager
def pages_site(folder: Path, patients: int) -> Iterator[PagesSite]:
    """A site with so many images, each with a truth, and an account for each of `PEOPLE`."""
    with Site.opened(folder, patients) as training:
        access = AccessSite(training.broker.url, str(folder / "records"), training.environment)
        for name, role in PEOPLE.items():
            access.add(name, role)
        command = (sys.executable, "-m", "workers.cli", "records", "run")
        with subprocess.Popen(command, env=os.environ | access.environment) as keeper:
            try:
                with gateway(access.environment) as client:
                    yield PagesSite(training, access, client)
            finally:
                keeper.terminate()
                access.dispose()
