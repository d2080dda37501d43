"""How long a C-STORE takes until it is acknowledged, with Nagle's algorithm in Orthanc against without.

Two real Orthanc servers that differ only in `TCP_NODELAY`, one association to each, the same small radiographs to the
one and the other in turns. With the algorithm the answer, which DCMTK writes in two parts, waits until the sender's
system acknowledges the first: 40 ms on Linux, up to 200 elsewhere.

    python -m benchmarks.dicom_store --stores 40
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from mskmodel.dicom_writing import Header, write_dx
from tests.servers import Orthanc


def associated(server: Orthanc, like: Dataset) -> Association:
    entity = ApplicationEntity("BENCHMARK")
    entity.add_requested_context(like.SOPClassUID, like.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", server.dicom_port, ae_title=server.dicom_aet)
    assert association.is_established
    return association


def main() -> None:
    """Print medians in milliseconds, and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stores", type=int, default=40)
    stores = arguments.parse_args().stores
    pixels = np.random.default_rng(1).integers(0, 4096, (512, 400), np.uint16)
    files = [write_dx(pixels, header=Header(identity=f"dicom-store-{n}"), bits=12) for n in range(stores)]
    datasets = [dcmread(BytesIO(file)) for file in files]
    milliseconds: dict[str, list[float]] = {"0": [], "1": []}
    with ExitStack() as stack:
        associations = {}
        for no_delay in milliseconds:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(closing(Orthanc(folder, environment={"TCP_NODELAY": no_delay})))
            server.start()
            associations[no_delay] = associated(server, datasets[0])
            stack.callback(associations[no_delay].release)
        for dataset in datasets:
            for no_delay, association in associations.items():
                began = time.perf_counter()
                assert association.send_c_store(dataset).Status == 0
                milliseconds[no_delay].append((time.perf_counter() - began) * 1000)
    waiting, at_once = (statistics.median(milliseconds[no_delay]) for no_delay in ("0", "1"))
    print(json.dumps({"with_nagle_ms": waiting, "without_ms": at_once, "ratio": at_once / waiting}, indent=1))


if __name__ == "__main__":
    main()
