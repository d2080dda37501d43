"""How fast a backlog drains, without the process that keeps the records and with it.

    python -m benchmarks.beside_records [--instances N] [--rounds R] [--workers W]

Stores instances as `drain` does, and times a real label worker until the ledger is empty: in turn with nothing beside
it, and with `msk records run`, which follows the same instances into an index in SQLite. Prints both rates and their
ratio, round by round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.drain import drain_rate, environment_of, make_instances, worker
from tests.broker import valkey
from tests.servers import running_orthanc
from tests.waiting import until
from workers.ledger import Ledger
from workers.pacs import OrthancClient
from workers.records.heartbeat import Heartbeat
from workers.settings import Settings

#: Seconds between what was stored and the drain, in which the index takes it in.
SETTLE_SECONDS = 2.0


@contextmanager
def keeping(environment: dict[str, str], orthanc: OrthancClient) -> Iterator[None]:
    """The process that keeps the records, once it shows all that Orthanc holds."""
    broker = redis.Redis.from_url(environment["MSK_BROKER_URL"])
    command = [sys.executable, "-m", "workers.cli", "records", "run"]

    def caught_up() -> bool:
        beat = Heartbeat.last(broker)
        return beat is not None and not beat.hurried and beat.changes >= orthanc.last_change()

    with subprocess.Popen(command, env=os.environ | environment) as process:
        try:
            until(caught_up, 120)
            yield
            until(caught_up, 120)
        finally:
            process.terminate()
            process.wait()
            broker.delete("msk:records:heartbeat")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    results = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_orthanc(Path(folder) / "orthanc") as server,
        valkey(Path(folder) / "valkey") as broker_url,
    ):
        environment = environment_of(server, broker_url) | {"MSK_RECORDS": str(Path(folder) / "records")}
        settings, ledger = Settings.from_environment(environment), Ledger(broker_url)
        orthanc = OrthancClient.of(settings)

        def rate(series: str) -> float:
            stored = [server.upload(data) for data in make_instances(arguments.instances, series)]
            os.sync()  # or the disk would still be busy with what was stored
            time.sleep(SETTLE_SECONDS)
            return drain_rate(settings, ledger, stored)

        def rate_beside(series: str) -> float:
            with keeping(environment, orthanc):
                return rate(series)

        with worker(environment, arguments.workers):
            rate("warm-up")
            for number in range(arguments.rounds):
                # Each goes first in turn, since a machine changes while it works.
                if number % 2:
                    beside, alone = rate_beside(f"beside-{number}"), rate(f"alone-{number}")
                else:
                    alone, beside = rate(f"alone-{number}"), rate_beside(f"beside-{number}")
                results.append({"alone": alone, "beside": beside, "ratio": beside / alone})
                print(json.dumps({name: round(value, 2) for name, value in results[-1].items()}), flush=True)
    print(f"median ratio {statistics.median(result['ratio'] for result in results):.3f}")


if __name__ == "__main__":
    main()
