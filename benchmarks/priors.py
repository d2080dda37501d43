"""How long the gateway takes for the priors of a study, in a small archive and in a large one.

    python -m benchmarks.priors [--studies N ...] [--requests R]

The studies are made up: rows are inserted into the index directly, and Orthanc holds none of them. Half of the patients
have one study; of the others, some have CT, whose headers Orthanc is asked for and does not have, and one patient has
500 studies and ten CTs of 1,000 slices each, who is asked about apart. Prints the median and the 95th percentile in
milliseconds, as a client on this machine waits for it, and the machine's load, since on a busy one that is what is
measured.
"""

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks.pages import BATCH, measure
from mskmodel.labels import KEYS
from tests.access_site import MACHINE_TOKEN, AccessSite, bearer
from tests.broker import valkey
from tests.gateway_process import running
from tests.servers import running_orthanc
from workers.records.schema import instances

#: Studies of a patient: of so many of ten patients.
VISITS = (1, 1, 1, 1, 1, 2, 2, 4, 8, 20)
#: Slices of a CT study of an ordinary patient, and every how many studies there is one.
SLICES, EVERY = 100, 50
FREQUENT, CTS, CT_SLICES = 500, 10, 1000
NOW = datetime(2026, 11, 28, 9)


def study(number: int, patient: str, chance: random.Random, slices: int = 0) -> Iterator[dict[str, Any]]:
    """Rows of a study: two films of a joint, or so many slices of a CT."""
    at = NOW - timedelta(days=chance.randrange(4000))
    key, says, side = chance.choice(KEYS), chance.choice(KEYS), chance.choice(["R", "L", ""])
    said = [{"field": "body part", "kind": "region", "terms": [says.partition("_")[0]]}]
    claims = {"claims": said, "side": side, "group": ""}
    for film in range(slices or 2):
        yield {
            "instance": f"{number:08x}-{film:08x}",
            "series": f"series-{number}",
            "study": f"{number:08x}",
            "patient": patient,
            "study_uid": f"1.2.{number}",
            "series_uid": f"1.3.{number}",
            "sop_instance": f"1.4.{number}.{film}",
            "studied_at": at.isoformat(),
            "modality": "CT" if slices else "CR",
            "issuer": "",
            "stored_at": f"{at.isoformat()}+00:00",
            "status": "skipped" if slices else "labelled",
            "label": None if slices else key,
            "region": None if slices else key.partition("_")[0],
            "claims": None if slices else claims,
            "pixels": None if slices else dict.fromkeys((*KEYS, "none"), round(1 / (len(KEYS) + 1), 4)),
            "updated_at": f"{NOW.isoformat()}+00:00",
        }


def made_up(count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The rows of so many studies of ordinary patients."""
    number = patient = 0
    while number < count:
        for _ in range(min(chance.choice(VISITS), count - number)):
            yield from study(number, f"patient-{patient}", chance, SLICES * (number % EVERY == EVERY - 1))
            number += 1
        patient += 1


def frequent(first: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The rows of the patient who comes often; studies are numbered from the first on."""
    for number in range(first, first + FREQUENT + CTS):
        yield from study(number, "frequent", chance, CT_SLICES * (number >= first + FREQUENT))


def fill(site: AccessSite, rows: Iterator[dict[str, Any]]) -> int:
    """Insert the rows; how many."""
    count, batch = 0, list[dict[str, Any]]()
    with site.records.writing() as connection:
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                connection.execute(insert(instances), batch)
                count, batch = count + len(batch), []
        if batch:
            connection.execute(insert(instances), batch)
    return count + len(batch)


def shown(name: str, took: list[float]) -> None:
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"{name:<44} median {statistics.median(took):6.1f} ms   p95 {p95:6.1f} ms")


def run(folder: Path, orthanc: dict[str, str], broker_url: str, studies: int, requests: int) -> None:
    """Fill an index of so many studies, and ask."""
    chance = random.Random(1)
    site = AccessSite(broker_url, str(folder), orthanc)
    rows = fill(site, made_up(studies, chance)) + fill(site, frequent(studies, chance))
    with running(site.environment) as (_, client):
        client.headers.update(bearer(MACHINE_TOKEN))
        asked = [f"/api/studies/1.2.{chance.randrange(studies)}/priors" for _ in range(requests)]
        often = [f"/api/studies/1.2.{studies + chance.randrange(FREQUENT)}/priors" for _ in range(requests)]
        found = [len(client.get(address).json()["priors"]) for address in asked]
        print(f"{studies:,} studies, {rows:,} rows; {statistics.mean(found):.1f} priors a study; {_load()}")
        shown("any study", [each for address in asked for each in measure(client, address, 1)])
        shown(f"of a patient with {FREQUENT} studies and {CTS} large CTs", [
            each for address in often for each in measure(client, address, 1)
        ])  # fmt: skip
    site.dispose()


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_orthanc(Path(folder) / "orthanc") as server,
        valkey(Path(folder) / "valkey") as broker_url,
    ):
        for studies in arguments.studies:
            run(Path(folder) / f"records-{studies}", server.access, broker_url, studies, arguments.requests)


if __name__ == "__main__":
    main()
