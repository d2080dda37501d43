"""The experiment with suggestions: from folder to page on small drawn pictures, and its arithmetic."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file

from mskmodel.alexnet import AlexNet, Architecture
from mskmodel.suggestion_experiment import ARMS, MEASURES, Plan, images_to_reach, run
from mskmodel.suggestion_report import verdict
from workers.cli import main

PLAN = Plan(start=20, each=10, rounds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes, discs and noise, which is none of the classes; two of each patient. Starting weights beside."""
    directory = tmp_path_factory.mktemp("drawn")
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:90, 0:70] / 80
    with (directory / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "patient"))
        for number in range(24):
            kind = number // 2 % 3
            shapes = (np.sin(40 * x + number) > 0, np.hypot(x - 0.5, y - 0.5) < 0.3, random.random(x.shape) < 0.5)
            Image.fromarray((shapes[kind] * 200).astype(np.uint8)).save(directory / f"{number}.png")
            writer.writerow((f"{number}.png", ("knee_ap", "foot_lateral", "")[kind], f"Doe^{number // 2}"))
    torch.manual_seed(0)
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, directory / "conv.safetensors")
    return directory


def experiment(folder: Path, work: Path, *options: str) -> Result:
    data = ("--images", str(folder), "--labels", str(folder / "labels.csv"))
    weights = ("--weights", str(folder / "conv.safetensors"), "--seeds", "2")
    return CliRunner().invoke(main, ["experiment", "suggest", str(work), *data, *weights, *options])


def test_the_experiment_compares_reports_and_computes_nothing_twice(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    small = ("--start", "4", "--each", "3", "--rounds", "2", "--json", str(out))

    result = experiment(folder, tmp_path, *small)

    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["labelled"] == [4, 7, 10]
    for arm, (number, measure) in itertools.product(ARMS, enumerate(MEASURES)):
        seeds, found = np.array(figures["seeds"][arm]), figures["measures"][measure][arm]
        assert seeds.shape == (2, 3, 2)
        assert np.allclose(found["mean"], seeds[..., number].mean(axis=0))
        assert np.all(np.array(found["low"]) <= found["mean"]) and np.all(np.array(found["high"]) >= found["mean"])
        assert figures["measures"][measure]["gain"]["mean"][0] == 0, "both begin alike"
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "Doe" not in page + out.read_text() + result.output
    (kept,) = tmp_path.glob("features-*.npy")
    written = kept.stat().st_mtime_ns
    assert experiment(folder, tmp_path, *small).exit_code == 0
    assert json.loads(out.read_text()) == figures
    assert kept.stat().st_mtime_ns == written


def test_more_rounds_than_radiographs_are_refused_in_a_line(folder: Path, tmp_path: Path) -> None:
    result = experiment(folder, tmp_path, "--rounds", "5")

    assert result.exit_code == 1
    assert "radiographs of 12 patients are left to label" in result.output


def clusters(shares: tuple[float, ...], spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and patients of 400 radiographs around one point a class."""
    random = np.random.default_rng(0)
    labels = random.choice(len(shares), 400, p=shares)
    middles = random.normal(size=(len(shares), 6)) * 2
    features = (middles[labels] + random.normal(size=(400, 6)) * spread).astype(np.float32)
    return features, labels.astype(np.int64), np.arange(400) // 2


def test_what_is_rare_is_found_sooner_by_suggestion() -> None:
    features, labels, patients = clusters((0.46, 0.46, 0.04, 0.04), 1.0)

    runs = [run(features, labels, patients, ("a", "b", "c"), PLAN, seed) for seed in range(1, 7)]

    suggested, at_random = (np.array([one[arm] for one in runs]) for arm in ARMS)
    assert np.array_equal(suggested[:, 0], at_random[:, 0])
    assert (suggested[:, -1].mean(axis=0) > at_random[:, -1].mean(axis=0)).all()
    assert runs[0] == run(features, labels, patients, ("a", "b", "c"), PLAN, 1)


def test_what_is_no_gain_is_called_none() -> None:
    curves = np.array([[[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]]] * 2)

    better = {ARMS[0]: curves + np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.0]]), ARMS[1]: curves}

    assert verdict(PLAN, better, 0).startswith("By mean recall, suggested ones beat random ones: +0.100")
    assert "10 suggested do what 20 random ones do" in verdict(PLAN, better, 0)
    assert verdict(PLAN, better, 1).startswith("By top-1 accuracy, suggested ones do not beat random ones")


@pytest.mark.parametrize(("accuracy", "images"), [(0.4, 0.0), (0.55, 5.0), (0.7, 20.0), (0.9, None)])
def test_between_two_rounds_a_line_tells_how_many_images_it_takes(accuracy: float, images: float | None) -> None:
    assert images_to_reach(accuracy, np.array([0.5, 0.6, 0.7]), PLAN) == (images and pytest.approx(images))
