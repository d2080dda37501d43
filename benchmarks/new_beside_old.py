"""How long new studies wait for their labels beside an archive: one that a modality pushes, and a backfill.

    python -m benchmarks.new_beside_old [--old N] [--studies N] [--rounds R] [--pause SECONDS] [--workers W]

Stores new 5-megapixel instances one after the other in a whole local stack, and times each from the moment that it is
stored to its outcome in Orthanc: while there is nothing else to do, while an archive of N such instances is labelled
that was pushed by C-STORE (old by their study date alone), and while a backfill of the same N runs. Prints medians and
95th percentiles, their ratios to idle, and how fast the backfill alone drains. Needs 21 MB of disk for each old one.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.drain import BITS, picture, wait_until_empty
from mskmodel.dicom.writing import Header, write_dx
from tests.local_stack import LocalStack
from workers.broker.celery_app import publisher
from workers.broker.queues import BACKFILL
from workers.ledger import Ledger, enqueue
from workers.metadata.outcome import PREDICTION, Outcome
from workers.pacs.send import STORED, Target, send
from workers.settings import Settings

LONG_AGO, TODAY = "20150101", f"{date.today():%Y%m%d}"
#: Associations that push the archive.
SENDERS = 4


def radiographs(name: str, count: int, day: str) -> Iterator[bytes]:
    pixels = picture()
    for number in range(count):
        yield write_dx(pixels, header=Header(identity=f"{name}-{number}", date=day), bits=BITS)


class Site:
    """The stack, and the archive that is pushed into it."""

    def __init__(self, stack: LocalStack, archive: Path) -> None:
        self.stack, self.archive = stack, archive
        self.old: list[str] = []
        self.settings = Settings.from_environment(stack.environment)
        self.ledger = Ledger(self.settings.broker_url)

    def push(self) -> None:
        """The archive, over DICOM."""
        sent = list(send([self.archive], Target.of_state(self.stack.state), senders=SENDERS))
        assert all(one.status == STORED for one in sent), sent
        found = self.stack.orthanc.lookup_all([one.sop_instance_uid for one in sent])
        self.old = [instance_id for ids in found.values() for instance_id in ids]

    def backfill(self) -> None:
        enqueue(publisher(self.settings), self.ledger, self.old, BACKFILL)

    def forget_outcomes(self) -> None:
        """As if nothing of the archive had been labelled yet."""
        for instance_id in self.old:
            self.stack.orthanc.delete_metadata(instance_id, PREDICTION)

    def backlog(self) -> int:
        return sum(self.ledger.depth().values())


def seconds_to_label(
    stack: LocalStack, name: str, count: int, pause: float, goes_on: Callable[[], object] = lambda: True
) -> list[float]:
    """Seconds of each new instance, at most `count`, from the answer to its store to its outcome."""
    found: list[float] = []
    for data in radiographs(name, count, TODAY):
        if not goes_on():
            break
        instance_id = stack.orthanc.upload(data)
        stored = time.perf_counter()
        while Outcome.of(stack.orthanc.metadata(instance_id)) is None:
            time.sleep(0.02)
        found.append(time.perf_counter() - stored)
        time.sleep(pause)
    return found


@contextmanager
def running_site(folder: Path, old: int, workers: int) -> Iterator[Site]:
    archive = folder / "archive"
    archive.mkdir()
    for number, data in enumerate(radiographs("old", old, LONG_AGO)):
        (archive / f"{number}.dcm").write_bytes(data)
    stack = LocalStack(folder)
    stack.up("--workers", str(workers))
    try:
        yield Site(stack, archive)
    finally:
        stack.down()


def measure(site: Site, studies: int, rounds: int, pause: float) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of all new instances by what went on beside them, and the rates of the backfill alone."""
    seconds: dict[str, list[float]] = {"idle": [], "beside a pushed archive": [], "beside a backfill": []}
    rates: list[float] = []
    seconds_to_label(site.stack, "warm-up", 5, pause)
    for number in range(rounds):
        seconds["idle"] += seconds_to_label(site.stack, f"{number}-idle", studies, pause)
        for what, begin in (("beside a pushed archive", site.push), ("beside a backfill", site.backfill)):
            site.forget_outcomes()
            begin()
            waiting = site.backlog()
            new = seconds_to_label(site.stack, f"{number} {what}", studies, pause, site.backlog)
            print(f"{what}: {len(new)} new, {waiting} old waited when the first of them came", flush=True)
            seconds[what] += new
            wait_until_empty(site.ledger)
        site.forget_outcomes()
        begun = time.perf_counter()
        site.backfill()
        wait_until_empty(site.ledger)
        rates.append(len(site.old) / (time.perf_counter() - begun))
        seconds["idle"] += seconds_to_label(site.stack, f"{number}-idle-again", studies, pause)
    return seconds, rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", type=int, default=300, help="instances of the archive")
    parser.add_argument("--studies", type=int, default=30, help="most new ones in each phase")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder), arguments.old, arguments.workers) as site,
    ):
        seconds, rates = measure(site, arguments.studies, arguments.rounds, arguments.pause)
    idle = np.percentile(seconds["idle"], (50, 95))
    for what, found in seconds.items():
        middle, high = np.percentile(found, (50, 95))
        ratios = {"p50 to idle": round(middle / idle[0], 2), "p95 to idle": round(high / idle[1], 2)}
        print(f"{what:24}", json.dumps({"new": len(found), "p50": round(middle, 3), "p95": round(high, 3)} | ratios))
    print("backfill alone, a second", [round(rate, 1) for rate in rates])


if __name__ == "__main__":
    main()
