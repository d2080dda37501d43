"""How fast Orthanc stores with and without the webhook, in turns A/B/B/A... of one run.

Two real Orthanc servers that differ only in the webhook. Four senders store 5-megapixel radiographs,
uncompressed, over REST into the one and the other in turns; a receiver takes every webhook and answers after a
delay. Before the next turn, all webhooks have arrived and all instances are deleted, so that no turn pays for another.

    python -m benchmarks.store_rate --pairs 20 --instances 24 --delay 0.0 --json
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import numpy as np
import requests

from mskmodel.dicom.writing import Header, write_dx
from tests.servers import Hook, HookReceiver, Orthanc, new_webhook_secret, running_orthanc

SENDERS = 4
#: Rows and columns of 12 bits in 16: 10.5 MB.
SHAPE = (2560, 2048)

numbers = count()


def radiographs(how_many: int) -> list[bytes]:
    """``how_many`` DICOM files that Orthanc has not seen, four per study."""
    pixels = np.random.default_rng(1).integers(0, 4096, SHAPE, np.uint16)
    taken = [next(numbers) for _ in range(how_many)]
    return [
        write_dx(pixels, header=Header(identity=f"store-rate-{n}", study=f"study-{n // 4}"), bits=12) for n in taken
    ]


def seconds_to_store(server: Orthanc, files: list[bytes]) -> float:
    """Seconds that `SENDERS` senders take together, each on its own connection."""

    def send(share: list[bytes]) -> None:
        with requests.Session() as session:
            session.auth = (server.user, server.password)
            for data in share:
                session.post(f"{server.url}/instances", data=data, timeout=60).raise_for_status()

    with ThreadPoolExecutor(SENDERS) as senders:
        started = time.perf_counter()
        list(senders.map(send, [files[sender::SENDERS] for sender in range(SENDERS)]))
        return time.perf_counter() - started


def empty(server: Orthanc) -> None:
    auth = (server.user, server.password)
    for patient in requests.get(f"{server.url}/patients", auth=auth, timeout=60).json():
        requests.delete(f"{server.url}/patients/{patient}", auth=auth, timeout=600).raise_for_status()


def turn(server: Orthanc, receiver: HookReceiver | None, instances: int) -> float:
    """One turn of one server; instances stored a second."""
    files = radiographs(instances)
    heard = len(receiver.hooks) if receiver else 0
    rate = instances / seconds_to_store(server, files)
    if receiver:
        receiver.wait_for(lambda hooks: len(hooks) >= heard + instances, timeout=600)
    empty(server)
    return rate


def compare(pairs: int, instances: int, delay: float) -> dict[str, object]:
    """Rates of all turns, and the ratio of the rates with the webhook to those without."""

    def answer(_: Hook) -> int:
        time.sleep(delay)  # what a slow receiver does
        return 202

    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="store-rate-")))
        receiver = stack.enter_context(HookReceiver(answer))
        secret = new_webhook_secret()
        hooked = running_orthanc(data / "with", webhook_url=receiver.url, webhook_secret=secret)
        servers = {
            "without": (stack.enter_context(running_orthanc(data / "without")), None),
            "with": (stack.enter_context(hooked), receiver),
        }
        rates: dict[str, list[float]] = {"without": [], "with": []}
        for server, hears in servers.values():
            turn(server, hears, SENDERS)  # warm-up
        for pair in range(pairs):
            order = ("without", "with") if pair % 2 == 0 else ("with", "without")
            for name in order:
                rates[name].append(turn(*servers[name], instances))
    return {"per_second": rates, **ratio(rates["with"], rates["without"])}


def ratio(with_: list[float], without: list[float]) -> dict[str, float]:
    """Geometric mean over the pairs and its 95 % interval: other load on the machine affects both turns of a pair."""
    logs = [math.log(a / b) for a, b in zip(with_, without, strict=True)]
    middle, error = statistics.mean(logs), 1.96 * statistics.stdev(logs) / math.sqrt(len(logs))
    return {
        "ratio": math.exp(middle),
        "ratio_low": math.exp(middle - error),
        "ratio_high": math.exp(middle + error),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20, help="turns of each server")
    parser.add_argument("--instances", type=int, default=24, help="instances stored in a turn")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until the receiver answers")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = compare(arguments.pairs, arguments.instances, arguments.delay)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, rates in found["per_second"].items():  # type: ignore[attr-defined]
        print(f"{name:>8} webhook, instances/s: " + " ".join(f"{rate:6.1f}" for rate in rates))
    print("ratio {ratio:.3f}, 95 % interval {ratio_low:.3f} to {ratio_high:.3f}".format(**found))


if __name__ == "__main__":
    main()
