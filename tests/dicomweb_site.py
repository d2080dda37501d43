"""A site whose viewers read DICOMweb: Orthanc with its plugin, the index of what it holds, and a gateway."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydicom import Dataset
from sqlalchemy import Connection

from mskmodel.labels import BY_KEY
from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from tests.broker import valkey
from tests.dicom_files import edited
from tests.servers import Orthanc, running_orthanc
from workers.metadata.outcome import LABELLED, PREDICTION, Outcome
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient
from workers.records.database import the_only_one
from workers.records.following import Follower
from workers.records.schema import migrate

__all__ = ["MODEL", "DicomWebSite", "dicomweb_site"]

MODEL = "20261128-0a1b2c3d"
KEY = b"k" * 32


@dataclass(frozen=True)
class DicomWebSite:
    """``client``: of the gateway, with the machine's own token."""

    server: Orthanc
    access: AccessSite
    orthanc: OrthancClient
    client: httpx.Client

    @property
    def url(self) -> str:
        return f"{str(self.client.base_url).rstrip('/')}/dicom-web"

    @property
    def own_url(self) -> str:
        """Of Orthanc's own DICOMweb."""
        return f"{self.server.url}/dicom-web"

    def store(self, name: str, change: Callable[[Dataset], None] = lambda ds: None, **options: Any) -> str:  # noqa: ARG005
        """Store a knee, lateral and right by its header, with something changed; Orthanc's identifier."""
        return self.server.upload(edited(name, change, **options))

    def label(self, instance_id: str, label: str, side: str = "") -> None:
        """What a label worker would write."""
        said = [{"field": "body part", "kind": "region", "terms": ["knee"]}]
        claims = {"claims": said, "side": side, "group": "0" * 12}
        told = {"label": label, "confidence": 0.9, "model": MODEL}
        outcome = Outcome(LABELLED, self.orthanc.file_identity(instance_id), 1, **told)
        text = json.dumps(json.loads(outcome.to_json()) | {"claims": claims})
        self.orthanc.put_metadata(instance_id, PREDICTION, text)

    def say(self, instance_id: str, label: str | None, side: str | None = None) -> None:
        """What a person says; None for none of the labels, and for no side."""
        set_truth(self.orthanc, instance_id, label, "anna", BY_KEY, side=side)

    def follow(self) -> None:
        """Bring the index up to date."""
        with the_only_one(self.access.engine) as connection:
            assert connection is not None
            _follow(connection, self.orthanc)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(f"/dicom-web/{path}", **options)

    def rows(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """The rows of an answer."""
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def own(self, path: str, **options: Any) -> httpx.Response:
        """Orthanc's own answer."""
        login = (self.server.user, self.server.password)
        answer = httpx.get(f"{self.own_url}/{path}", auth=login, timeout=60, **options)
        assert answer.status_code == 200, answer.text
        return answer

    def own_rows(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """The rows of Orthanc's own answer."""
        return list(self.own(path, params=parameters).json())

    def empty(self) -> None:
        """Delete all that Orthanc holds."""
        for each in self.orthanc.instance_ids(0, 100_000):
            self.orthanc._http.request("DELETE", f"instances/{each}")


def _follow(connection: Connection, orthanc: OrthancClient) -> None:
    migrate(connection)
    follower = Follower(connection, orthanc, KEY)
    while True:
        step = follower.step()
        if not step.is_behind and not step.position.hurried:
            return


@contextmanager
def dicomweb_site(folder: Path, **options: Any) -> Iterator[DicomWebSite]:
    """A site with nothing in it. ``options``: of the Orthanc."""
    with running_orthanc(folder / "orthanc", **options) as server, valkey(folder / "broker") as broker_url:
        access = AccessSite(broker_url, str(folder / "records"), server.access)
        orthanc = OrthancClient(server.url, server.user, server.password)
        try:
            with access.gateway() as client:
                client.headers.update(bearer(MACHINE_TOKEN))
                yield DicomWebSite(server, access, orthanc, client)
        finally:
            access.dispose()
