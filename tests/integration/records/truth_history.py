"""A site with records whose people say what instances show, and the copies that come of these."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any
from unittest.mock import patch

import httpx
import numpy as np
import requests
import uvicorn
from click.testing import CliRunner, Result

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, write_dx
from tests.deliveries import SECRET
from tests.integration.records.conftest import Site
from tests.servers import Orthanc, free_port
from tests.waiting import until
from workers.cli import main
from workers.gateway.app import create_app
from workers.labelling.pixel_hash import pixel_hash
from workers.metadata.outcome import LABELLED, PREDICTION, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.records import audit_log, journal
from workers.records.records_journal import RecordsJournal
from workers.settings import Settings

TOKEN = "token-of-the-tests"
GATEWAY = {"MSK_WEBHOOK_SECRET": SECRET, "MSK_API_TOKEN": TOKEN}


def file(name: str, seed: int = 1, patient: str = "P-1", study: str = "study") -> bytes:
    """A radiograph; those with the same seed have the same pixels."""
    pixels = np.random.default_rng(seed).integers(0, 4096, (32, 24), dtype=np.uint16)
    return write_dx(pixels, header=Header(identity=name, study=study, patient_id=patient), bits=12)


def store(site: Site, data: bytes) -> str:
    """Store a radiograph and label it, as a label worker does."""
    instance_id = site.server.upload(data)
    read(site, instance_id)
    return instance_id


def read(site: Site, instance_id: str) -> None:
    """Write the outcome of a label worker, which has read the pixels."""
    hashed = pixel_hash(read_radiograph(site.orthanc.file(instance_id, 1 << 24)))
    identity = site.orthanc.file_identity(instance_id)
    outcome = Outcome(LABELLED, identity, 1, label="elbow_lateral", model="m", pixel_hash=hashed)
    site.orthanc.put_metadata(instance_id, PREDICTION, outcome.to_json())


def read_all(site: Site) -> list[str]:
    """Label what has no label; all instances."""
    found = site.orthanc.metadata_of(site.orthanc.instance_ids(0, 1000))
    for instance_id, metadata in found.items():
        if PREDICTION not in metadata:
            read(site, instance_id)
    return list(found)


def msk(site: Site, *arguments: str, **variables: str) -> Result:
    """A command, in this process."""
    return CliRunner().invoke(main, arguments, env=site.environment | variables)


def ask(site: Site, method: str, path: str, body: Any = None) -> requests.Response:
    """What an administrator asks of Orthanc."""
    login = (site.server.user, site.server.password)
    answer = requests.request(method, f"{site.server.url}/{path}", json=body, auth=login, timeout=30)
    answer.raise_for_status()
    return answer


def journal_of(site: Site) -> RecordsJournal:
    """As the gateway has it."""
    records = RecordsJournal(site.place, site.orthanc)
    records.engine = site.engine  # which the site closes
    return records


@contextmanager
def beside(site: Site, server: Orthanc) -> Iterator[Site]:
    """The site with another Orthanc."""
    other = replace(site, server=server)
    yield other
    other.engine.dispose()
    other.orthanc.close()


def put_foreign(site: Site, instance_id: str, label: str, author: str = "other system") -> None:
    """Set a truth as another system does."""
    said = Truth(Statement(label, author, "2026-11-28T12:00:00+00:00"))
    site.orthanc.put_metadata(instance_id, TRUTH, said.to_json())


def truth(site: Site, instance_id: str) -> Truth | None:
    """What stands on Orthanc."""
    return Truth.of(site.orthanc.metadata(instance_id))


def entries(site: Site, instance_id: str = "") -> list[dict[str, Any]]:
    """The journal, the oldest entry first."""
    with site.engine.connect() as connection, connection.begin():
        return journal.latest(connection, 1000, instance=instance_id)[::-1]


def summary(site: Site, instance_id: str = "") -> list[tuple[str | None, str, str | None]]:
    """Label, origin and end of each entry, the oldest first."""
    return [(each["label"], each["origin"], each["end"]) for each in entries(site, instance_id)]


def audited(site: Site) -> list[tuple[str, str]]:
    """Actor and action of each entry of the audit log, the oldest first."""
    with site.engine.connect() as connection, connection.begin():
        return [(each["actor"], each["action"]) for each in audit_log.latest(connection, 1000)][::-1]


@contextmanager
def gateway(site: Site, variables: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """The gateway of the site, in a thread of this process, and a client that has the token."""
    settings = Settings.from_environment(site.environment | GATEWAY | (variables or {}))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    with patch("workers.records.records_journal.open_database", lambda _: site.engine):  # which the site closes
        thread.start()
        try:
            until(lambda: server.started)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                client.headers["Authorization"] = f"Bearer {TOKEN}"
                yield client
        finally:
            server.should_exit = True
            thread.join()


#: Sets a truth as the gateway does.
SAYING = """
import sys
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient
from workers.records.records_journal import RecordsJournal
url, user, password, place, instance, label, author = sys.argv[1:]
orthanc = OrthancClient(url, user, password)
set_truth(orthanc, instance, label, author, [label], RecordsJournal(place, orthanc))
"""


@contextmanager
def saying(site: Site, url: str, *said: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that sets a truth, given instance, label and author, on the Orthanc at this address."""
    reach = (url, site.server.user, site.server.password, site.place)
    with subprocess.Popen([sys.executable, "-c", SAYING, *reach, *said]) as process:
        try:
            yield process
        finally:
            process.kill()


def deleted(instance_id: str) -> bytes:
    """The event of a deletion."""
    return json.dumps({"type": "instance.deleted", "data": {"instance": instance_id}}).encode()


def rle(data: bytes, name: str) -> bytes:
    """The same picture in another instance, compressed without loss."""
    from pydicom import dcmread
    from pydicom.uid import RLELossless, generate_uid

    ds = dcmread(BytesIO(data))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name])
    ds.compress(RLELossless)
    written = BytesIO()
    ds.save_as(written)
    return written.getvalue()
