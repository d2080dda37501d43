"""A site with records whose people say what instances show, and the copies that come of these."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import requests

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, write_dx
from tests import gateway_process
from tests.deliveries import SECRET
from tests.integration.records.conftest import Site
from workers.labelling.pixel_hash import pixel_hash
from workers.metadata.outcome import LABELLED, PREDICTION, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.records import audit_log, journal
from workers.records.records_journal import RecordsJournal

TOKEN = "token-of-the-tests"


def file(name: str, seed: int = 1, patient: str = "P-1", study: str = "study") -> bytes:
    """A radiograph; those with the same seed have the same pixels."""
    pixels = np.random.default_rng(seed).integers(0, 4096, (32, 24), dtype=np.uint16)
    return write_dx(pixels, header=Header(identity=name, study=study, patient_id=patient), bits=12)


def store(site: Site, data: bytes) -> str:
    """Store a radiograph and label it, as a label worker does."""
    instance_id = site.orthanc.upload(data)
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


def ask(site: Site, method: str, path: str, body: Any = None) -> requests.Response:
    """What an administrator asks of Orthanc."""
    login = (site.server.user, site.server.password)
    answer = requests.request(method, f"{site.server.url}/{path}", json=body, auth=login, timeout=30)
    answer.raise_for_status()
    return answer


def journal_of(site: Site) -> RecordsJournal:
    """As the gateway has it."""
    return RecordsJournal(site.place, site.orthanc)


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
    """The gateway of the site, and a client that has the token."""
    with killable_gateway(site, variables) as (_, client):
        yield client


@contextmanager
def killable_gateway(
    site: Site, variables: Mapping[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """As `gateway`, with the process."""
    own = {"MSK_WEBHOOK_SECRET": SECRET, "MSK_API_TOKEN": TOKEN}
    with gateway_process.running(site.environment | own | (variables or {})) as (process, client):
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield process, client


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
