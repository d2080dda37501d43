"""A site whose people use a browser: Orthanc, Valkey, the records' process and the gateway, without any model.

What a label worker would say is written by the tests, so that they know it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Thread

import httpx
from sqlalchemy import select

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.labels import KEYS
from tests import dicom_files, gateway_process
from tests.access_site import AccessSite, bearer
from tests.broker import valkey
from tests.servers import Orthanc, free_port, running_orthanc
from tests.waiting import until
from workers.access.role import Role
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, PREDICTION, Outcome
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient
from workers.records.position import read_position
from workers.records.schema import instances

PATIENT = "Quincy^Magda"
NUMBER = "PAT-4711-08"
PEOPLE = {"vera": Role.VIEWER, "anna": Role.REVIEWER, "bert": Role.REVIEWER, "boss": Role.ADMIN}


@dataclass
class ReadingRoom:
    """The servers, and what is in them."""

    server: Orthanc
    site: AccessSite
    gateway_log: Path
    port: int = field(default_factory=free_port)
    _running: ExitStack = field(default_factory=ExitStack)
    _gateway: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def orthanc(self) -> OrthancClient:
        return OrthancClient(self.server.url, self.server.user, self.server.password)

    def open(self) -> None:
        """Start the gateway, again on the same port; returns when it answers."""
        self._running = ExitStack()
        log = self._running.enter_context(self.gateway_log.open("ab"))
        running = gateway_process.running(self.site.environment, port=self.port, log=log)
        self._gateway, _ = self._running.enter_context(running)

    def kill(self) -> None:
        """End the gateway as a power cut would."""
        assert self._gateway is not None
        self._gateway.kill()
        self._gateway.wait()
        self._running.close()

    def die_and_come_back(self) -> Thread:
        """End the gateway so, and open it again behind the caller's back; what does that."""
        self.kill()
        again = Thread(target=self.open)
        again.start()
        return again

    def close(self) -> None:
        self._running.close()

    def store(self, name: str, *, rows: int = 700, columns: int = 500, study: str = "study") -> str:
        """Store a drawn radiograph; its instance."""
        header = Header(identity=name, study=study, patient_id=NUMBER, patient_name=PATIENT, date="20240229")
        return self.server.upload(write_dx(dicom_files.gradient(12, rows, columns), header=header, bits=12))

    def label(self, instance: str, label: str, confidence: float = 0.6, **fields: object) -> None:
        """Write what a label worker would say; the rest goes to the classes after it."""
        others = [key for key in KEYS if key != label][:4]
        shares = [round((1 - confidence) * share, 4) for share in (0.5, 0.25, 0.15, 0.05)]
        outcome = Outcome(
            LABELLED if confidence >= 0.5 else NEEDS_REVIEW,
            self.orthanc.file_identity(instance),
            1,
            label=label if confidence >= 0.5 else None,
            confidence=confidence,
            top5=((label, confidence), *zip(others, shares, strict=True)),
            pixels={label: confidence, "none": round(1 - confidence, 4)},
            explanation=f"pixels: {label.replace('_', ' ')} {confidence:.2f}",
            model="20261128-0a1b2c3d",
            reason=None if confidence >= 0.5 else "low confidence",
        )
        self.orthanc.put_metadata(instance, PREDICTION, json.dumps(json.loads(outcome.to_json()) | fields))

    def client_of(self, name: str) -> httpx.Client:
        """A client of the gateway with a token of that account."""
        headers = bearer(self.site.token(name, PEOPLE[name]))
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def truth(self, instance: str) -> Truth | None:
        return Truth.of(self.orthanc.metadata(instance))

    def fill(self, count: int) -> list[str]:
        """Store so many pictures of a usual size in place of all others, with labels to accept; their instances."""
        self.clear()
        stored = [self.store(f"one-of-{count}-{number}", rows=1600, columns=1300) for number in range(count)]
        for number, instance in enumerate(stored):
            self.label(instance, "knee_ap", 0.95 - number / (10 * count))
        self.follow(stored)
        return stored

    def clear(self) -> None:
        """Delete every instance, and wait until the index shows none."""
        for instance in self.orthanc.instance_ids(0, 10_000):
            self.orthanc._http.request("DELETE", f"instances/{instance}")
        self.follow(())

    def follow(self, stored: Sequence[str]) -> None:
        """Wait until the index shows these instances, as they are in Orthanc now."""

        def shows() -> bool:
            with self.site.records.reading() as connection:
                position = read_position(connection)
                if position is None or position.hurried or position.changes < self.orthanc.last_change():
                    return False
                return set(connection.scalars(select(instances.c.instance))) == set(stored)

        until(shows, 120)


@contextmanager
def running_reading_room(folder: Path, viewer: Path | None = None) -> Iterator[ReadingRoom]:
    """A reading room that is open, with accounts for `PEOPLE`. ``viewer``: folder of OHIF's pages, if it has any."""
    port = free_port()
    secret = AccessSite("", "").environment["MSK_WEBHOOK_SECRET"]
    url = f"http://127.0.0.1:{port}"
    hook, pages = f"{url}/hooks/orthanc", {"MSK_PAGES_URL": url, "MSK_WITH_VIEWER": "yes" if viewer else ""}
    with (
        running_orthanc(folder / "orthanc", webhook_url=hook, webhook_secret=secret, environment=pages) as server,
        valkey(folder / "valkey") as broker,
    ):
        place = {"MSK_VIEWER": str(viewer or folder / "no-viewer")}
        site = AccessSite(broker, str(folder / "records"), server.access | place)
        for name, role in PEOPLE.items():
            site.add(name, role)
        room = ReadingRoom(server, site, folder / "gateway.log", port)
        command = (sys.executable, "-m", "workers.cli", "records", "run")
        with subprocess.Popen(command, env=os.environ | site.environment) as keeper:
            try:
                room.open()
                yield room
            finally:
                room.close()
                keeper.terminate()
                site.dispose()
