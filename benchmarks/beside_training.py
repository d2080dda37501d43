"""How long new studies wait for their labels, without and with a job that trains on the same machine.

    python -m benchmarks.beside_training [--studies N] [--rounds R] [--pause SECONDS]

Stores uncompressed 5-megapixel instances one after the other in a whole local stack, and times each from the beginning
of its storing to the label in Orthanc. Phases without and with training take turns, A B B A. Prints the median and the
95th percentile of both, and their ratio.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.drain import make_instances
from mskmodel.dicom.writing import Header, write_dx
from tests.local_stack import LocalStack
from tests.waiting import until
from workers.metadata.outcome import Outcome
from workers.metadata.truth_changes import set_truth

CLASSES = ("knee_ap", "knee_lateral")
#: Images to train on, each of another patient.
TRUTHS = 60


def say_truths(stack: LocalStack) -> None:
    """Store images with truths to train on; what they show does not matter to the time it takes."""
    pixels = np.random.default_rng(0).integers(0, 4096, (600, 500), dtype=np.uint16)
    for number in range(TRUTHS):
        header = Header(identity=f"truth-{number}", patient_id=f"patient-{number}")
        instance_id = stack.orthanc.upload(write_dx(np.roll(pixels, number), header=header, bits=12))
        set_truth(stack.orthanc, instance_id, CLASSES[number % 2], "benchmark", CLASSES)
        until(lambda i=instance_id: Outcome.of(stack.orthanc.metadata(i)), 120)


@contextmanager
def training(stack: LocalStack) -> Iterator[None]:
    """A job that trains during the block, and is cancelled after it."""
    options = ("--classes", ",".join(CLASSES), "--rehearsal", "0", "--epochs", "500", "--author", "benchmark")
    job_id = stack.msk("jobs", "submit", *options).stdout.strip()

    def show() -> dict[str, object]:
        return dict(json.loads(stack.msk("jobs", "show", job_id, "--json").stdout))

    until(lambda: show()["phase"] == "training", 300)
    try:
        yield
        job = show()
        assert job["state"] == "running", job
    finally:
        stack.msk("jobs", "cancel", job_id)
        until(lambda: show()["state"] == "cancelled")


def seconds_to_label(stack: LocalStack, series: str, count: int, pause: float) -> list[float]:
    """Seconds of each study, from the beginning of its storing to its label."""
    found = []
    for data in make_instances(count, series):
        begun = time.perf_counter()
        instance_id = stack.orthanc.upload(data)
        while Outcome.of(stack.orthanc.metadata(instance_id)) is None:
            time.sleep(0.02)
        found.append(time.perf_counter() - begun)
        time.sleep(pause)
    return found


def summary(seconds: list[float]) -> dict[str, float]:
    median, p95 = np.percentile(seconds, (50, 95))
    return {"studies": len(seconds), "median": round(float(median), 3), "p95": round(float(p95), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=30, help="studies in each phase")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.5)
    arguments = parser.parse_args()
    without: list[float] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as folder, LocalStack.running(Path(folder)) as stack:
        say_truths(stack)
        seconds_to_label(stack, "warm-up", 5, arguments.pause)
        for number in range(arguments.rounds):
            without += seconds_to_label(stack, f"{number}-a", arguments.studies, arguments.pause)
            with training(stack):
                beside += seconds_to_label(stack, f"{number}-b", 2 * arguments.studies, arguments.pause)
            without += seconds_to_label(stack, f"{number}-c", arguments.studies, arguments.pause)
    print("without training", json.dumps(summary(without)))
    print("beside training ", json.dumps(summary(beside)))
    print(f"ratio of the 95th percentiles {np.percentile(beside, 95) / np.percentile(without, 95):.2f}")


if __name__ == "__main__":
    main()
