"""How fast a backlog drains, beside the same work done from memory.

    python -m benchmarks.drain [--instances N] [--rounds R] [--workers W]

Stores uncompressed 5-megapixel instances in a real Orthanc, enqueues them all at once, and times a real label
worker until the ledger is empty. In turn with it, as many processes decode, preprocess and classify the same
bytes from memory, in chunks of the same size. Prints both rates and their ratio, round by round.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.writing import Header, write_dx
from tests.broker import valkey
from tests.servers import Orthanc, running_orthanc
from workers.broker.celery_app import publisher
from workers.broker.messages import CHUNK
from workers.broker.queues import LABEL
from workers.ledger import Ledger, enqueue
from workers.settings import Settings

ROWS, COLUMNS, BITS = 2560, 2048, 12


def picture() -> NDArray[np.uint16]:
    """A disc in noise: the content does not matter to the time it takes."""
    noise = np.random.default_rng(0).integers(0, 400, (ROWS, COLUMNS), dtype=np.uint16)
    y, x = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    return ((x**2 + y**2 < 0.5) * 2000).astype(np.uint16) + noise


def make_instances(count: int, series: str) -> Iterator[bytes]:
    """Files of 10.5 MB, each an instance of its own."""
    pixels = picture()
    for number in range(count):
        yield write_dx(pixels, header=Header(identity=f"{series}-{number}"), bits=BITS)


def from_memory(files: list[bytes], ready: Any, start: Any) -> None:
    """One process's share of the work, without Orthanc and the broker."""
    from mskmodel.dicom.reading import read_radiograph
    from mskmodel.registry import Registry
    from mskmodel.registry.classifier import Classifier

    classifier = Classifier.load(Registry(None).promoted(), "cpu")
    classifier.hasten()
    classifier.classify([classifier.prepare(read_radiograph(files[0]))])
    ready.release()
    start.wait()
    for first in range(0, len(files), CHUNK):
        classifier.classify([classifier.prepare(read_radiograph(data)) for data in files[first : first + CHUNK]])


def memory_rate(files: list[bytes], processes: int) -> float:
    """Instances a second over all processes, from the common start to the end of the last."""
    context = multiprocessing.get_context("spawn")
    ready, start = context.Semaphore(0), context.Event()
    children = [
        context.Process(target=from_memory, args=(files[number::processes], ready, start))
        for number in range(processes)
    ]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    begun = time.perf_counter()
    start.set()
    for child in children:
        child.join()
    assert all(child.exitcode == 0 for child in children)
    return len(files) / (time.perf_counter() - begun)


@contextmanager
def worker(environment: dict[str, str], concurrency: int) -> Iterator[None]:
    """A label worker as an engineer would start it."""
    command = [sys.executable, "-m", "workers.cli", "worker", "--concurrency", str(concurrency)]
    with subprocess.Popen(command, env=os.environ | environment) as process:
        try:
            yield
        finally:
            process.terminate()


def wait_until_empty(ledger: Ledger) -> None:
    while sum(ledger.depth().values()):
        time.sleep(0.02)


def drain_rate(settings: Settings, ledger: Ledger, instance_ids: list[str]) -> float:
    """Instances a second from the moment that all are enqueued to the moment that the ledger is empty."""
    begun = time.perf_counter()
    enqueue(publisher(settings), ledger, instance_ids, LABEL)
    wait_until_empty(ledger)
    return len(instance_ids) / (time.perf_counter() - begun)


def environment_of(orthanc: Orthanc, broker_url: str) -> dict[str, str]:
    return {
        "MSK_ORTHANC_URL": orthanc.url,
        "MSK_ORTHANC_USER": orthanc.user,
        "MSK_ORTHANC_PASSWORD": orthanc.password,
        "MSK_BROKER_URL": broker_url,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // arguments.workers))
    files = list(make_instances(arguments.instances, "memory"))
    results = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_orthanc(Path(folder) / "orthanc") as orthanc,
        valkey(Path(folder) / "valkey") as broker_url,
    ):
        environment = environment_of(orthanc, broker_url)
        settings, ledger = Settings.from_environment(environment), Ledger(broker_url)
        with worker(environment, arguments.workers):
            warm_up = [orthanc.upload(data) for data in make_instances(arguments.workers, "warm-up")]
            drain_rate(settings, ledger, warm_up)
            for number in range(arguments.rounds):
                memory = memory_rate(files, arguments.workers)
                backlog = make_instances(arguments.instances, f"round-{number}")
                stored = [orthanc.upload(data) for data in backlog]
                drained = drain_rate(settings, ledger, stored)
                results.append({"memory": memory, "drain": drained, "ratio": drained / memory})
                print(json.dumps({name: round(value, 2) for name, value in results[-1].items()}), flush=True)
    print(f"median ratio {statistics.median(result['ratio'] for result in results):.2f}")


if __name__ == "__main__":
    main()
