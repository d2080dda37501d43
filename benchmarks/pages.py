"""How long the gateway takes for each page of an archive, and how much memory it has then.

    python -m benchmarks.pages [--instances N] [--requests R]

The outcomes are made up: rows are inserted into the index directly, and Orthanc holds none of them, which the ledger
says. Prints the median and the 95th percentile of each page in milliseconds, as a client on this machine waits for it,
and the gateway's resident memory; and the machine's load, since on a busy one that is what is measured.
"""

import argparse
import hashlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from mskmodel.labels import KEYS
from tests.access_site import AccessSite, browser
from tests.broker import valkey
from tests.gateway_process import running
from tests.servers import running_orthanc
from workers.access.role import Role
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED
from workers.records.schema import instances

#: Rows in one statement.
BATCH = 1000
REASONS = {
    NEEDS_REVIEW: "low confidence",
    SKIPPED: "not a radiograph: CT Image Storage",
    FAILED: "the JPEG image is damaged",
}
CLAIMS = {"claims": [{"field": "body part", "kind": "region", "terms": ["elbow"]}], "side": "L", "group": ""}
VERSION = "20260101T000000Z-0123456789ab"


def made_up(count: int) -> Iterator[dict[str, Any]]:
    """Rows of the index, one stored every ten seconds until now."""
    chance, now = random.Random(1), datetime.now(UTC)
    for number in range(count):
        stored = now - timedelta(seconds=10 * number)
        status = chance.choices((LABELLED, NEEDS_REVIEW, SKIPPED, FAILED), (90, 7, 2.5, 0.5))[0]
        key = chance.choice(KEYS)
        label, truth = key if status == LABELLED else None, key if chance.random() < 0.03 else None
        yield {
            "instance": _identifier(number),
            "series": _identifier(number // 2),
            "study": _identifier(number // 4),
            "patient": f"{number // 8:016x}",
            "stored_at": stored.isoformat(timespec="seconds"),
            "status": status,
            "label": label,
            "probability": chance.random() if status in (LABELLED, NEEDS_REVIEW) else None,
            "model": VERSION if status in (LABELLED, NEEDS_REVIEW) else None,
            "region": label and label.split("_")[0],
            "view": label and label.split("_")[1],
            "disagreement": chance.random() ** 20,
            "pixels": dict.fromkeys((*KEYS, "none"), round(1 / (len(KEYS) + 1), 4)),
            "claims": CLAIMS,
            "truth": truth,
            "shown": truth or label,
            "reason": REASONS.get(status),
            "labelled_at": (stored + timedelta(seconds=2)).isoformat(timespec="milliseconds"),
            "updated_at": now.isoformat(timespec="seconds"),
        }


def _identifier(number: int) -> str:
    digest = hashlib.sha256(str(number).encode()).hexdigest()[:40]
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def fill(site: AccessSite, count: int) -> list[dict[str, Any]]:
    """Insert the rows; the first and the last of them."""
    rows = list(made_up(count))
    for start in range(0, count, BATCH):
        with site.records.writing() as connection:
            connection.execute(insert(instances), rows[start : start + BATCH])
    return [rows[0], rows[-BATCH if count > BATCH else -1]]


def pages(late: dict[str, Any]) -> dict[str, str]:
    """What is measured: name and address."""
    place = f"{late['stored_at'].replace('+', '%2B')}~{late['instance']}"
    return {
        "arrivals": "/arrivals",
        "arrivals, far back": f"/arrivals?after={place}",
        "arrivals, back again": f"/arrivals?before={place}",
        "arrivals, a class": "/arrivals?shows=knee_lateral",
        "arrivals, failed": "/arrivals?status=failed",
        "arrivals, waiting": "/arrivals?status=waiting",
        "arrivals, a day": f"/arrivals?day={late['stored_at'][:10]}",
        "arrivals, all filters": "/arrivals?shows=knee_lateral&status=labelled&disagrees=1",
        "ledger": "/ledger",
        "models": "/models",
        "a version": "/models/shipped",
        "jobs": "/jobs",
    }


def measure(client: httpx.Client, address: str, requests: int) -> list[float]:
    """Milliseconds of each request, after one that does not count."""
    took = []
    for _ in range(requests + 1):
        began = time.perf_counter()
        answer = client.get(address)
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return took[1:]


def resident(pid: int) -> int:
    """MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=40)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_orthanc(Path(folder) / "orthanc") as server,
        valkey(Path(folder) / "valkey") as broker_url,
    ):
        models = {"MSK_MODELS": f"{folder}/models"}
        site = AccessSite(broker_url, f"{folder}/records", server.access | models)
        site.add("boss", Role.ADMIN)
        _, late = fill(site, arguments.instances)
        with running(site.environment) as (process, anybody), browser(anybody, "boss") as client:
            client.headers["Accept"] = "text/html"
            print(f"{arguments.instances:,} made-up rows; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            for name, address in pages(late).items():
                took = measure(client, address, arguments.requests)
                p95 = statistics.quantiles(took, n=20)[-1]
                print(f"{name:<24} median {statistics.median(took):6.0f} ms   p95 {p95:6.0f} ms")
            print(f"gateway: {resident(process.pid)} MiB resident; load {os.getloadavg()[0]:.1f}")
        site.dispose()


if __name__ == "__main__":
    main()
