"""Other classes without other code: a labels file with twenty classes is enough."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mskmodel.phantoms import CLASSES, NEIGHBOURS
from mskmodel.phantoms.making import make
from mskmodel.registry import SHIPPED, Registry, read_manifest
from mskmodel.tables.table import write_table

TWENTY = (*CLASSES, *list(NEIGHBOURS)[:7])


def msk(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "workers.cli", *(str(each) for each in arguments))
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})


@pytest.mark.timeout(900)  # it renders and trains; a busy machine is no reason to fail
def test_a_model_of_twenty_classes_is_trained_and_judged_and_labels(tmp_path: Path) -> None:
    images, registry = tmp_path / "images", tmp_path / "models"
    phantoms = make(images, 2 * len(TWENTY), 1, names=TWENTY, visits=2)
    everything, first, second = (tmp_path / f"{name}.csv" for name in ("all", "first", "second"))
    for path, some in ((everything, phantoms), (first, phantoms[::2]), (second, phantoms[1::2])):
        write_table(path, ("file", "label"), [(each.file, each.shows) for each in some])

    trained = msk(
        "train", "--source", images, first, "1", "--holdout", images, second, "--classes", ",".join(TWENTY),
        "--start", SHIPPED, "--epochs", "1", "--views", "250", "--device", "cpu", "--registry", registry,
    )  # fmt: skip

    assert trained.returncode == 0, trained.stderr
    version = Registry(registry).find(trained.stdout.strip())
    assert read_manifest(version)["classes"] == list(TWENTY)
    data = ("--images", images, "--labels", everything)
    judged = msk("evaluate", *data, "--model", version, "--device", "cpu", "--json", "-")
    assert judged.returncode == 0, judged.stderr
    figures = json.loads(judged.stdout)
    assert {one["label"]: one["count"] for one in figures["classes"]} == dict.fromkeys(TWENTY, 2)
    # One in twenty by chance; four standard deviations above that for 40 pictures.
    assert figures["top1"] > 0.19
    asked = msk("label", images / phantoms[0].file, images / phantoms[-1].file, "--model", version, "--json")
    assert asked.returncode == 0, asked.stderr
    answers = json.loads(asked.stdout)
    assert answers["model"] == version.name
    assert all({key for key, _ in one["top5"]} <= set(TWENTY) for one in answers["files"])
