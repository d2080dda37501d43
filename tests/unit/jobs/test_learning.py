"""What a training job starts from."""

import json
import shutil
from pathlib import Path

import pytest

from mskmodel.labels import KEYS
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import MANIFEST, SHIPPED, Registry, read_manifest
from mskmodel.training.loop import new_model
from mskmodel.versions.conversion import finished, version_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights
from workers.jobs.learning import Start
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.submission import check_labels
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


@pytest.mark.parametrize(
    ("classes", "others"),
    [(None, ("noise", "ring")), (("stripes", "disc", "ring"), ("noise",))],
    ids=["its classes", "a kind becomes a class"],
)
def test_a_job_goes_on_with_what_its_base_tells_apart(
    tmp_path: Path, classes: tuple[str, ...] | None, others: tuple[str, ...]
) -> None:
    registry = Registry(tmp_path)
    model = finished(new_model(CLASSES, QUICK, weights(), others=("noise", "ring")), QUICK).eval()
    described = (CLASSES, Preprocessing(), QUICK, [], pictures(6), "stand-in")
    tensors, manifest = version_of(model, *described, others=("noise", "ring"))
    request = JobRequest(base=registry.register(tensors, manifest), classes=classes)
    folder = tmp_path / "job"
    folder.mkdir()

    plan = Plan.of(folder, registry, request)

    assert plan == Plan.of(folder, registry, JobRequest()), "a later run goes on with the same"
    assert plan.others == others
    assert plan.keys == ((*CLASSES, *others) if classes is None else (*classes, *others))
    assert Start.of(registry, request, plan).model.architecture.others == len(others)
    rows = [("noise", False), ("stripes", False), (None, True)]
    check_labels(rows, CLASSES[:1], 1, {}, plan.others)
    with pytest.raises(InvalidRequest, match=r"not among the classes: noise \(1\)"):
        check_labels(rows, CLASSES[:1], 1, {})


def test_the_plan_of_an_earlier_program_has_no_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"base": None, "classes": ["a"], "threads": 1}))

    assert Plan.of(tmp_path, Registry(tmp_path), JobRequest()) == Plan(None, ("a",), 1, ())
