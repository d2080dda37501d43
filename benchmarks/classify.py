"""Milliseconds of one core for an instance: the network in each way to execute it, beside AlexNet as it stands.

    python -m benchmarks.classify [--rounds R]

Times the shipped weights for one look and for two, in batches of 1 and of 16 instances, and framing and enhancing a
5-megapixel instance. All take turns, and before each as much memory is written over as decoding an instance does.
Prints a JSON line for each: the best of its turns, which other load on the machine disturbs least, and its ratio to
AlexNet in float32 from three channels with two looks, in batches of that size. With ONEDNN_MAX_CPU_ISA=AVX2 and
ATEN_CPU_CAPABILITY=avx2 in the environment it shows a processor with AVX2 alone (where bfloat16 takes seconds).
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.drain import BITS, picture
from mskmodel.network.alexnet import in_looks
from mskmodel.network.single_channel import SingleChannel
from mskmodel.radiograph import Radiograph
from mskmodel.registry import SHIPPED
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.execution import ways

BATCHES = (1, 16)
PLAIN = "AlexNet float32"
#: Bytes of a decoded instance, its file and the steps between.
WRITTEN = 32 << 20


def processor() -> str:
    """Its name, and the instructions that matter here."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    lines = {name.strip(): value for name, _, value in (line.partition(": ") for line in cpuinfo.splitlines())}
    has = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in lines.get("flags", "").split()]
    return f"{lines.get('model name', 'unknown')}, {' '.join(has)}; {torch.backends.cpu.get_cpu_capability()} used"


def networks(classifier: Classifier) -> dict[tuple[str, int, int], Callable[[], object]]:
    """Calls of the network by way, looks and batch."""
    preprocessing, model = classifier.preprocessing, classifier.model
    prepared = torch.from_numpy(classifier.prepare(Radiograph(picture(), BITS)))
    single = SingleChannel(model, preprocessing.size, preprocessing.mean, preprocessing.std)
    found = {PLAIN: (model, prepared)}
    found |= {name: (way, prepared[:1]) for name, way in ways(single, preprocessing.size).items()}

    def call(name: str, looks: int, batch: int) -> Callable[[], object]:
        network, image = found[name]
        images = image.expand(batch, -1, -1, -1).contiguous()
        return lambda: in_looks(network, looks, images)

    return {(name, looks, batch): call(name, looks, batch) for name in found for looks in (2, 1) for batch in BATCHES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    classifier = Classifier.load(SHIPPED, "cpu")
    preprocessing, radiograph = classifier.preprocessing, Radiograph(picture(), BITS)
    framed = preprocessing.frame(radiograph)
    extents = np.asarray([[framed.rows, framed.columns]], np.int16)
    calls = networks(classifier) | {
        ("framing", 0, 1): lambda: preprocessing.frame(radiograph),
        ("enhancing", 0, 1): lambda: preprocessing.inputs(framed.values[None], extents),
    }
    print(json.dumps({"processor": processor()}))
    seconds: dict[tuple[str, int, int], list[float]] = {key: [] for key in calls}
    memory = np.zeros(WRITTEN, np.uint8)
    for turn in range(rounds + 1):
        for key, call in calls.items():
            memory += 1
            began = time.perf_counter()
            call()
            if turn:  # the first one warms up
                seconds[key].append((time.perf_counter() - began) / key[2])
    times = {key: min(found) * 1000 for key, found in seconds.items()}
    for (name, looks, batch), milliseconds in times.items():
        if looks:
            ratio = milliseconds / times[PLAIN, 2, batch]
            line = {"way": name, "looks": looks, "batch": batch, "ms": round(milliseconds, 2), "ratio": round(ratio, 2)}
        else:
            line = {"step": name, "ms": round(milliseconds, 2)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
