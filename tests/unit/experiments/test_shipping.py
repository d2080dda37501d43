"""The shipped model's recipe: no patient is on both sides of a fold, and the results of long steps are used again."""

import copy
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from mskmodel.data.crops import Crops
from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.folds import folds_of
from mskmodel.experiments import shipping
from mskmodel.judging.evaluation import score
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.weights import StartingWeights
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Progress
from mskmodel.versions.conversion import finished, logits_of, outputs_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights
from workers.cli import main

RECIPE = shipping.Recipe(pretraining=QUICK, finetuning=QUICK, runs=2, folds=3)
START = StartingWeights("stand-in", dict(weights()))


def data() -> shipping.Data:
    """Nine real radiographs of six patients, the last of which may only be judged, and crops of three of them."""
    patients = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5])
    crops = Crops(pictures(3, seed=4), np.array([1, 6, 8]))
    real = shipping.Real(pictures(9, seed=3), patients, patients < 5, crops)
    return shipping.Data(CLASSES, (), pictures(12), pictures(6, seed=1), real)


def test_the_recipe_makes_a_version_that_serves_and_resumes_where_it_was_stopped(tmp_path: Path) -> None:
    steps: list[str] = []

    def told(name: str, _: Progress) -> None:
        steps.append(name)

    def made() -> str:
        base = shipping.pretrained(RECIPE, data(), START, tmp_path, told)
        judged = shipping.judged_by_folds(RECIPE, data(), shipping.by_folds(RECIPE, data(), base, tmp_path, told))
        assert (judged.study.count, judged.study.none_count) == (6, 3)
        tensors, manifest = shipping.version(RECIPE, data(), base, judged, START, told)
        assert [one["count"] for one in manifest["data"]] == [12, 8 + 2]
        return Registry(tmp_path / "models").register(tensors, manifest)

    first = made()
    assert set(steps) == {"phantoms", "fold 1 of 3", "fold 2 of 3", "fold 3 of 3", "all"}
    assert Classifier.load(Registry(tmp_path / "models").find(first), "cpu").classes == CLASSES

    steps.clear()
    made()
    assert set(steps) == {"all"}


def test_a_model_that_is_made_for_one_look_is_calibrated_and_served_with_one(tmp_path: Path) -> None:
    recipe = RECIPE.with_looks(1)
    base = shipping.pretrained(recipe, data(), START, tmp_path, lambda *_: None)
    logits = shipping.by_folds(replace(recipe, kept=1.0), data(), base, tmp_path, lambda *_: None)
    judged = shipping.judged_by_folds(recipe, data(), logits)
    tensors, manifest = shipping.version(recipe, data(), base, judged, START, lambda *_: None)
    registry = Registry(tmp_path / "models")
    served = Classifier.load(registry.find(registry.register(tensors, manifest)), "cpu")

    images = Preprocessing().inputs(data().real.pictures.values, data().real.pictures.extents)
    with torch.inference_mode():
        once = finished(copy.deepcopy(base), recipe.finetuning)(torch.from_numpy(images)).numpy()
        served_once = served.model(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(logits, once, atol=1e-5)
    np.testing.assert_allclose(served.logits(images), served_once, atol=1e-5)


def test_a_model_that_keeps_all_of_the_pretrained_weights_answers_as_they_do(tmp_path: Path) -> None:
    base = shipping.pretrained(RECIPE, data(), START, tmp_path, lambda *_: None)
    logits = shipping.by_folds(replace(RECIPE, kept=1.0), data(), base, tmp_path, lambda *_: None)
    said = logits_of(finished(copy.deepcopy(base), RECIPE.finetuning), data().real.pictures, Preprocessing())
    np.testing.assert_allclose(logits, said, atol=1e-5)
    half = tmp_path / "half"
    half.mkdir()
    tuned = shipping.by_folds(replace(RECIPE, kept=0.5), data(), base, half, lambda *_: None)
    assert np.abs(tuned - said).max() > 3e-4


def test_the_key_depends_on_recipe_data_and_weights_and_not_on_the_threshold() -> None:
    one = data()
    known = shipping.key(RECIPE, one, START)

    assert shipping.key(replace(RECIPE, threshold=0.9), data(), START) == known
    judged_only = replace(one.real, trainable=one.real.patients < 4)
    others = (
        shipping.key(replace(RECIPE, folds=4), one, START),
        shipping.key(RECIPE, replace(one, phantoms=pictures(9)), START),
        shipping.key(RECIPE, replace(one, real=judged_only), START),
        shipping.key(RECIPE, replace(one, real=replace(one.real, crops=Crops.none())), START),
        shipping.key(RECIPE, one, StartingWeights("others", {name: w + 1 for name, w in START.tensors.items()})),
    )
    assert len({known, *others}) == 6


def test_a_fold_is_calibrated_by_the_others() -> None:
    one = data()
    folds = folds_of(one.real.patients, one.real.pictures.labels, 3)
    logits = np.eye(3, dtype=np.float32)[one.real.pictures.labels] * 8
    # Sure and wrong in one fold only: calibrated on the others, that fold stays as sure as it is.
    logits[folds == 0] = np.roll(logits[folds == 0], 1, axis=1)

    judged = shipping.judged_by_folds(RECIPE, one, logits)

    together = score(logits / judged.decision.temperature, one.real.pictures.labels, CLASSES, Decision(1.0, 0.5))
    assert judged.decision.temperature > 1
    assert judged.study.calibration_error is not None
    assert together.calibration_error is not None
    assert judged.study.calibration_error > together.calibration_error


#: Kinds of none of the classes, and what is said of the ten radiographs of each.
SAID = {"oblique": [2] * 9 + [0], "skyline": [3] * 6 + [0] * 4, "several_views": [4] * 10, "rare": [5] * 4}


def kinds() -> tuple[shipping.Data, NDArray[np.float32]]:
    """Ten stripes, ten discs and the kinds of `SAID`, each of a patient of its own, with the outputs for them."""
    said = {"stripes": [0] * 10, "disc": [1] * 10} | SAID
    labels = np.concatenate([np.full(len(each), number) for number, each in enumerate(said.values())])
    outputs = np.eye(len(said) + 1, dtype=np.float32)[np.concatenate(list(said.values()))] * 6
    one = Pictures(pictures(len(labels)).values, np.full((len(labels), 2), STORED, np.int16), labels)
    real = shipping.Real(one, np.arange(len(labels)), np.ones(len(labels), bool), Crops.none())
    return shipping.Data(CLASSES, tuple(SAID), pictures(12), pictures(6, seed=1), real), outputs


def test_a_kind_is_named_where_enough_radiographs_show_it_and_its_labels_are_right() -> None:
    one, outputs = kinds()

    judged = shipping.judged_by_folds(RECIPE, one, outputs)

    # Half of what is called a skyline is none: seen often enough, and right too seldom.
    half = outputs.copy()
    half[one.real.pictures.labels == 4] = half[one.real.pictures.labels == 3][0]
    assert judged.named == ("oblique", "skyline")
    assert shipping.judged_by_folds(RECIPE, one, half).named == ("oblique",)
    assert shipping.judged_by_folds(replace(RECIPE, naming=shipping.Naming(4)), one, outputs).named[-1] == "rare"


def test_what_is_named_counts_as_none_where_the_classes_of_the_study_are_judged() -> None:
    one, outputs = kinds()

    judged = shipping.judged_by_folds(RECIPE, one, outputs)

    assert (judged.study.count, judged.study.none_count) == (20, 34)
    assert (judged.every.count, judged.every.none_count) == (40, 14)
    assert [score.label for score in judged.every.classes] == [*CLASSES, "oblique", "skyline"]


def test_what_is_named_keeps_its_output(tmp_path: Path) -> None:
    one, outputs = kinds()
    base = shipping.pretrained(RECIPE, one, START, tmp_path, lambda *_: None)
    judged = shipping.judged_by_folds(RECIPE, one, outputs)
    recipe = replace(RECIPE, kept=1.0)

    tensors, manifest = shipping.version(recipe, one, base, judged, START, lambda *_: None)
    registry = Registry(tmp_path / "models")
    served = Classifier.load(registry.find(registry.register(tensors, manifest)), "cpu")

    assert served.classes == (*CLASSES, "oblique", "skyline")
    assert served.others == ("several_views", "rare")
    shown = one.held_out
    before = outputs_of(finished(copy.deepcopy(base), recipe.finetuning), shown, Preprocessing())
    after = served.outputs(Preprocessing().inputs(shown.values, shown.extents))
    np.testing.assert_allclose(after, before, atol=2e-2)


def test_a_labels_file_that_names_no_patients_is_refused(tmp_path: Path) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label\na.png,knee_ap\n")

    arguments = ["experiment", "ship", str(tmp_path / "out"), "--images", str(tmp_path), "--labels", str(labels)]
    result = CliRunner().invoke(main, [*arguments, "--registry", str(tmp_path / "models")])

    assert result.exit_code != 0
    assert "patient" in result.output


def test_the_command_makes_a_version_of_phantoms_radiographs_and_their_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = shipping.Recipe(phantoms=4, plates=2, pretraining=QUICK, finetuning=QUICK, runs=1, folds=2)
    monkeypatch.setattr(shipping, "Recipe", lambda: recipe)
    monkeypatch.setattr(import_module("workers.commands.experiment.ship"), "_HELD_OUT_COUNT", 2)
    save_file(dict(weights()), tmp_path / "start.safetensors")
    rows = ("knee_ap,1,CC0", "knee_ap,2,CC0", "wrist,3,CC0", "none,4,CC BY-SA")
    for number, one in enumerate(pictures(4).values):
        Image.fromarray(one).save(tmp_path / f"{number}.png")
    labels, crops, out = tmp_path / "labels.csv", tmp_path / "crops.csv", tmp_path / "out"
    labels.write_text("\n".join(["file,label,patient,licence", *(f"{n}.png,{row}" for n, row in enumerate(rows))]))
    crops.write_text(
        "file,label,left,top,right,bottom\n0.png,none,0,0,1,.5\n3.png,none,0,0,.5,1\n7.png,none,0,0,1,.5\n"
    )

    real = ["--images", tmp_path, "--labels", labels, "--crops", crops, "--skip", "licence=BY-SA"]
    kept = ["--weights", tmp_path / "start.safetensors", "--registry", tmp_path / "models"]
    result = CliRunner().invoke(main, ["experiment", "ship", str(out), *map(str, [*real, *kept])])

    assert result.exit_code == 0, result.output
    assert "7.png: listed in" in result.output
    version = Registry(tmp_path / "models").find(result.stdout.split()[-1])
    trained_on = json.loads((version / "model.json").read_text())["data"]
    assert [one["count"] for one in trained_on] == [4 + 2, 3 + 1]
    judged = json.loads((out / "figures.json").read_text())
    assert judged["the study's classes, each real radiograph by a model that saw none of its patient"]["count"] == 2


def test_crops_are_trained_on_with_their_radiograph_only() -> None:
    real = data().real
    first = np.arange(9) == 1  # has the first crop
    last = np.arange(9) == 8  # has the third, and is judged only

    np.testing.assert_array_equal(
        real.to_train_on(first).values, np.stack([real.pictures.values[1], real.crops.pictures.values[0]])
    )
    assert len(real.to_train_on(last)) == 0
    assert len(real.to_train_on(~first & ~last)) == 7 + 1
