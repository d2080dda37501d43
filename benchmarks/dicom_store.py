"""How long a C-STORE takes until it is acknowledged, with and without Nagle's algorithm in Orthanc.

    python -m benchmarks.dicom_store [--rounds R] [--instances N]

Two real Orthanc servers that differ only in `TCP_NODELAY` take small radiographs in turns. DCMTK writes its answer in
two parts. With the algorithm, the second part waits until the sender's system acknowledges the first: 40 ms on Linux.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from mskmodel.dicom.writing import Header, write_dx
from tests.servers import Orthanc
from workers.pacs.send import Target, send


def write_radiographs(folder: Path, instances: int) -> None:
    """Write ``instances`` small DICOM files; no other folder has the same ones."""
    pixels = np.random.default_rng(1).integers(0, 4096, (512, 400), np.uint16)
    folder.mkdir()
    for number in range(instances):
        header = Header(identity=f"{folder.name}-{number}")
        (folder / f"{number}.dcm").write_bytes(write_dx(pixels, header=header, bits=12))


def milliseconds_between(server: Orthanc, folder: Path) -> list[float]:
    """Milliseconds from one acknowledgement to the next, over one association."""
    target = Target("127.0.0.1", server.dicom_port, server.dicom_aet, "BENCHMARK")
    return [float(seconds) * 1000 for seconds in np.diff([sent.at for sent in send([folder], target)])]


def main() -> None:
    """Print medians in milliseconds, and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--instances", type=int, default=20, help="instances that each server stores in a round")
    chosen = arguments.parse_args()
    found: dict[str, list[float]] = {"0": [], "1": []}
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicom-store-")))
        servers = {
            no_delay: stack.enter_context(closing(Orthanc(data / no_delay, environment={"TCP_NODELAY": no_delay})))
            for no_delay in found
        }
        for server in servers.values():
            server.start()
        for number in range(chosen.rounds):
            folder = data / f"round-{number}"
            write_radiographs(folder, chosen.instances)
            for no_delay, server in servers.items():
                found[no_delay] += milliseconds_between(server, folder)
    waiting, at_once = (statistics.median(found[no_delay]) for no_delay in ("0", "1"))
    print(json.dumps({"with_nagle_ms": waiting, "without_ms": at_once, "ratio": at_once / waiting}, indent=1))


if __name__ == "__main__":
    main()
