"""How long DICOMweb takes through the gateway, against Orthanc's own, in one run.

    python -m benchmarks.dicomweb [--instances N] [--rounds R]

Fills an Orthanc with N small instances, four a study, and one of 10 MB. All of them have a label, so that every row is
rewritten; the rows of the index are made up, and say what the headers say but for the view. Both are asked the same in
turns, after a first time that does not count. Prints the median of each in milliseconds, their ratio, paired by round,
and the gateway's largest resident memory; and the machine's load, since on a busy one that is what is measured.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import requests
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from sqlalchemy import insert

from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from tests.broker import valkey
from tests.dicom_files import edited
from tests.gateway_process import running
from tests.servers import Orthanc, running_orthanc
from workers.metadata.outcome import LABELLED
from workers.records.schema import instances

#: Rows in one statement.
BATCH = 1000
#: Of the picture whose one frame has 10 MB.
ROWS, COLUMNS = 2500, 2100
VERSION = "20260101T000000Z-0123456789ab"


def made(count: int) -> Iterator[Dataset]:
    """Knees by their headers, of 8 x 8 pixels: four a study, two a series."""
    ds = dcmread(BytesIO(edited("benchmark")))
    ds.Rows = ds.Columns = 8
    ds.PixelData = bytes(128)
    for number in range(count):
        if number % 4 == 0:
            ds.StudyInstanceUID, ds.PatientID = generate_uid(), f"P{number // 4}"
        if number % 2 == 0:
            ds.SeriesInstanceUID = generate_uid()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        yield ds


def filled(server: Orthanc, access: AccessSite, count: int) -> str:
    """Store all; the path of the large one's frame."""
    rows = []
    with requests.Session() as session:
        session.auth = (server.user, server.password)
        for ds in made(count):
            rows.append(_row(_stored(session, server.url, ds), ds))
        ds.Rows, ds.Columns, ds.PixelData = ROWS, COLUMNS, bytes(2 * ROWS * COLUMNS)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        rows.append(_row(_stored(session, server.url, ds), ds))
    with access.records.writing() as connection:
        for start in range(0, len(rows), BATCH):
            connection.execute(insert(instances), rows[start : start + BATCH])
    above = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    return f"{above}/instances/{ds.SOPInstanceUID}/frames/1"


def _stored(session: requests.Session, url: str, ds: Dataset) -> str:
    buffer = BytesIO()
    ds.save_as(buffer)
    answer = session.post(f"{url}/instances", data=buffer.getvalue(), timeout=60)
    answer.raise_for_status()
    return str(answer.json()["ID"])


def _row(instance: str, ds: Dataset) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "instance": instance,
        "series": instance,
        "study": instance,
        "patient": ds.PatientID,
        "stored_at": now,
        "study_uid": str(ds.StudyInstanceUID),
        "series_uid": str(ds.SeriesInstanceUID),
        "sop_instance": str(ds.SOPInstanceUID),
        "modality": "DX",
        "issuer": "",
        "status": LABELLED,
        "label": "knee_ap",
        "shown": "knee_ap",
        "side": "R",
        "model": VERSION,
        "labelled_at": now,
        "updated_at": now,
    }


def compared(name: str, path: str, clients: tuple[httpx.Client, httpx.Client], rounds: int) -> None:
    """Ask both in turns, and print how long they took. ``clients``: ours, and Orthanc's own."""
    took: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        order = clients if number % 2 else clients[::-1]
        seconds = {client: _seconds(client, path) for client in order}
        if number:
            took.append((seconds[clients[0]], seconds[clients[1]]))
    ours, own = (1000 * statistics.median(each) for each in zip(*took, strict=True))
    ratio = statistics.median(one / other for one, other in took)
    print(f"{name:34} {ours:9.1f} {own:9.1f} {ratio:6.2f}", flush=True)


def _seconds(client: httpx.Client, path: str) -> float:
    start = time.perf_counter()
    with client.stream("GET", path) as answer:
        assert answer.status_code == 200
        for _ in answer.iter_raw(2**20):
            pass
    return time.perf_counter() - start


def largest_memory(pid: int) -> float:
    """Of the process, in MB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Set up the servers, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_orthanc(Path(folder) / "orthanc") as server,
        valkey(Path(folder) / "broker") as broker_url,
    ):
        access = AccessSite(broker_url, str(Path(folder) / "records"), server.access)
        frame = filled(server, access, arguments.instances)
        login = (server.user, server.password)
        with (
            running(access.environment) as (process, client),
            httpx.Client(
                base_url=client.base_url.join("/dicom-web/"), headers=bearer(MACHINE_TOKEN), timeout=600
            ) as ours,
            httpx.Client(base_url=f"{server.url}/dicom-web/", auth=login, timeout=600) as own,
        ):
            print(f"{'':34} {'ours, ms':>9} {'own, ms':>9} {'ratio':>6}")
            print(f"at the start: {largest_memory(process.pid):.0f} MB")
            compared("frame of 10 MB", frame, (ours, own), 10 * arguments.rounds)
            print(f"after frames: {largest_memory(process.pid):.0f} MB")
            for path in ("instances", "series", "studies", "instances?limit=100", "instances?offset=5000&limit=1000"):
                compared(path, path, (ours, own), arguments.rounds)
            print(f"after searches: {largest_memory(process.pid):.0f} MB")
            for path in ("instances", "series", "instances?limit=100"):
                keyed = f"{path}{'&' if '?' in path else '?'}BodyPartExamined=KNEE"
                compared(keyed, keyed, (ours, own), arguments.rounds)
            print(f"after searches by label: {largest_memory(process.pid):.0f} MB; load {os.getloadavg()[0]:.1f}")
        access.dispose()


if __name__ == "__main__":
    main()
