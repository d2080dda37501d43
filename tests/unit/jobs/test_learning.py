"""What a training job starts from."""

import json
import shutil
from pathlib import Path

import pytest

from mskmodel.labels import KEYS
from mskmodel.registry import MANIFEST, SHIPPED, Registry, read_manifest
from mskmodel.versions.conversion import finished
from workers.jobs.learning import Start
from workers.jobs.request import JobRequest
from workers.jobs.training_data import Plan


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("classes", [KEYS, (*KEYS, "wrist_ap")], ids=["same classes", "one more"])
def test_a_job_keeps_the_looks_of_the_version_that_it_starts_from(
    tmp_path: Path, looks: int, classes: tuple[str, ...]
) -> None:
    name = "20260101T000000Z-0123456789ab"
    shutil.copytree(SHIPPED, tmp_path / name)
    manifest = read_manifest(SHIPPED) | {"version": name}
    manifest["architecture"]["looks"] = looks
    (tmp_path / name / MANIFEST).write_text(json.dumps(manifest))

    start = Start.of(Registry(tmp_path), JobRequest(), Plan(name, classes, threads=1))

    assert start.settings.looks == looks
    assert finished(start.model, start.settings).architecture.looks == looks
