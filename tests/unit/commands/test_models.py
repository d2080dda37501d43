"""`msk models`, as it is typed: the standing of versions, their comparison, promotion and rollback."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import load_file

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.registry import MANIFEST, REPORT, SHIPPED, WEIGHTS, Registry, read_manifest
from mskmodel.registry.decision import Decision
from mskmodel.versions.comparison import Said, compare
from mskmodel.versions.version_report import reports
from tests.model_versions import harm_weights, register_saying
from workers.cli import main

SHIPPED_VERSION = str(read_manifest(SHIPPED)["version"])
CLASSES = tuple(read_manifest(SHIPPED)["classes"])


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MSK_MODELS", str(tmp_path / "models"))
    return Registry(tmp_path / "models")


def msk(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def said(version: str, labels: list[int]) -> Said:
    """On fourteen pictures of each class, which are all of class 0 or 1."""
    logits = np.eye(len(CLASSES) + 1, dtype=np.float32)[labels] * 20
    truths = [CLASSES[number % 2] for number in range(len(labels))]
    return Said.of(version, logits, Decision(), CLASSES, [str(number) for number in range(len(labels))], truths)


def register_judged(registry: Registry, *, right: bool) -> str:
    """A version as a training job keeps it, which is either as good as the shipped one or knows nothing."""
    return registry.register(load_file(SHIPPED / WEIGHTS), *judged(right))


@cache
def judged(right: bool) -> tuple[dict[str, Any], dict[str, bytes]]:
    truth = [number % 2 for number in range(28)]
    comparison = compare(said(SHIPPED_VERSION, truth), said("", truth if right else [5] * 28), CLASSES, CLASSES)
    manifest: dict[str, Any] = {k: v for k, v in read_manifest(SHIPPED).items() if k not in ("version", "made")}
    manifest |= {"gate": comparison.to_json(), "starting_weights": "version before"}
    shown = Pictures(np.zeros((28, STORED, STORED), np.uint8), np.full((28, 2), STORED, np.int16), comparison.labels)
    return manifest, reports(manifest, comparison, [1.0], [0.5], shown)


def test_a_refused_version_says_why_and_is_promoted_only_anyway(registry: Registry) -> None:
    name = register_judged(registry, right=False)

    shown = msk("show", name).output
    assert f"{name}: refused by the gate" in shown
    assert f"the gate refused it, against {SHIPPED_VERSION}" in shown
    assert "worse overall: 0 of 28 right, before 28 (lost 28, won 0)" in shown
    assert f"{CLASSES[0]} is worse: 0 of 14 right, before 14" in shown
    assert f"report: {registry.find(name) / REPORT}" in shown
    refused = msk("promote", name)
    assert refused.exit_code == 1
    assert "the gate refused" in refused.output
    assert registry.promoted() == SHIPPED
    assert msk("promote", name, "--anyway").exit_code == 0
    assert registry.promoted().name == name


def test_the_standing_of_a_version_follows_its_promotion_and_rollback(registry: Registry) -> None:
    name = register_judged(registry, right=True)

    def standing() -> str:
        return str(json.loads(msk("show", name, "--json").stdout)["standing"])

    assert standing() == f"passed the gate, not served yet: msk models promote {name}"
    assert msk("promote", name).exit_code == 0
    assert standing().startswith("served since 20")
    assert json.loads(msk("show", "--json").stdout)["version"] == name
    back = msk("rollback").stdout
    assert back == f"serving {SHIPPED_VERSION} again, no longer {name}\n"
    assert standing().startswith("was served until 20")


def test_versions_are_compared_on_the_hold_outs_kept_with_them(registry: Registry) -> None:
    good, bad = register_judged(registry, right=True), register_judged(registry, right=False)

    measured = json.loads(msk("compare", SHIPPED_VERSION, bad, "--json").stdout)
    assert (measured["against"], measured["passed"]) == (SHIPPED_VERSION, False)
    beside = json.loads(msk("compare", bad, good, "--json").stdout)
    assert (beside["passed"], beside["overall"]["won"]) == (True, 28)
    table = msk("compare", good, bad).output
    assert f"{bad} beside {good}, on the same 28 images" in table
    assert "the gate would refuse it" in table
    nothing = msk("compare", good, "shipped")
    assert nothing.exit_code == 1
    assert "compare on --images and --labels" in nothing.output


def test_versions_are_compared_on_a_folder(registry: Registry, tmp_path: Path) -> None:
    Image.fromarray((np.mgrid[0:300, 0:240][0] % 200).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "c.png").write_bytes(b"broken")
    (tmp_path / "labels.csv").write_text("file,label\na.png,knee_ap\nc.png,foot_ap\n")
    knees, feet = (register_saying(registry, label) for label in ("knee_ap", "foot_ap"))
    folder = ("--images", str(tmp_path), "--labels", str(tmp_path / "labels.csv"), "--device", "cpu")

    result = msk("compare", feet, knees, *folder, "--json")

    found = json.loads(result.stdout)
    assert (found["version"], found["against"], found["overall"]["won"]) == (knees, feet, 1)
    assert f"not read: {tmp_path / 'c.png'} (line 3): " in result.stderr
    alone = msk("compare", feet, knees, "--images", str(tmp_path))
    assert alone.exit_code == 2
    assert "go together" in alone.output


def test_a_damaged_version_is_listed_as_such_and_hides_no_other(registry: Registry) -> None:
    good, damaged = (register_saying(registry, label) for label in ("knee_ap", "foot_ap"))
    (registry.find(damaged) / MANIFEST).write_text("{")

    listed = json.loads(msk("list", "--json").stdout)["versions"]

    assert [row["version"] for row in listed] == [SHIPPED_VERSION, *sorted((good, damaged))]
    assert {row["version"]: bool(row["damaged"]) for row in listed} == {
        SHIPPED_VERSION: False, good: False, damaged: True
    }  # fmt: skip
    assert "damaged" in msk("list").stdout


def test_a_missing_promoted_version_is_reported_with_the_command_that_rolls_back(registry: Registry) -> None:
    name = register_saying(registry, "knee_ap")
    registry.promote(name)
    registry.find(name).rename(registry.find(name).with_name("gone"))

    result = msk("list")

    assert result.exit_code == 1
    assert f"{name}, is not there: msk models rollback" in result.stderr
    assert msk("rollback").exit_code == 0
    assert msk("list").exit_code == 0


def test_models_lists_versions_and_promotes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSK_MODELS", str(tmp_path))
    name = register_saying(Registry(tmp_path), "knee_ap")

    assert msk("promote", name).exit_code == 0

    listed = json.loads(msk("--json").stdout)
    assert [(row["version"], row["served"]) for row in listed["versions"]] == [
        (read_manifest(SHIPPED)["version"], False),
        (name, True),
    ]
    unknown = msk("promote", "20260101T000000Z-0123456789ab")
    assert unknown.exit_code == 1
    assert "no complete model version" in unknown.output


@pytest.mark.parametrize("harm", ["NaN", "too large"])
def test_a_version_that_answers_with_no_numbers_is_not_promoted(registry: Registry, harm: str) -> None:
    name = register_saying(registry, "knee_ap")
    harm_weights(registry.find(name), harm)

    result = msk("promote", name, "--anyway")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert name in result.stderr
    assert registry.promoted() == SHIPPED
