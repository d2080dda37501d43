"""The experiment with suggestions: from folder to page on small drawn pictures, and its arithmetic."""

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from mskmodel.experiments.suggestion import ARCHIVE, ARMS, MEASURES, Plan, Site, images_to_reach, run
from mskmodel.experiments.suggestion_report import verdict
from mskmodel.labels import KEYS, SEVERAL_VIEWS
from mskmodel.phantoms.views import NAMES
from workers.cli import main

PLAN = Plan(each=10, rounds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes, discs, and noise, which is none of the classes; two of each patient."""
    directory = tmp_path_factory.mktemp("drawn")
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:90, 0:70] / 80
    with (directory / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "patient"))
        for number in range(24):
            kind = number // 2 % 3
            shapes = (
                np.sin(40 * x + number) > 0,
                np.hypot(x - 0.5, y - 0.5) < 0.2 + number / 100,
                random.random(x.shape) < 0.5,
            )
            Image.fromarray((shapes[kind] * 200).astype(np.uint8)).save(directory / f"{number}.png")
            writer.writerow((f"{number}.png", ("knee_ap", "stripes", "none")[kind], f"Quincy^{number // 2}"))
    return directory


def experiment(folder: Path, work: Path, *options: str) -> Result:
    data = ("--images", str(folder), "--labels", str(folder / "labels.csv"), "--new-class", "stripes")
    model = ("--model", "shipped", "--rehearsal", "0", "--seeds", "2")
    return CliRunner().invoke(main, ["experiment", "suggest", str(work), *data, *model, *options])


def test_the_experiment_compares_and_reports_and_a_second_call_uses_the_kept_features(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    small = ("--each", "3", "--rounds", "2", "--json", str(out))

    result = experiment(folder, tmp_path, *small)

    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["corrected"] == [0, 3, 6]
    assert figures["classes"][:13] == list(KEYS) and figures["classes"][-1] == "stripes"
    for arm, (number, measure) in itertools.product(ARMS, enumerate(MEASURES)):
        seeds, found = np.array(figures["seeds"][arm]), figures["measures"][measure][arm]
        assert seeds.shape == (2, 3, 2)
        assert np.allclose(found["mean"], seeds[..., number].mean(axis=0))
        assert np.all(np.array(found["low"]) <= found["mean"]) and np.all(np.array(found["high"]) >= found["mean"])
        assert figures["measures"][measure]["gain"]["mean"][0] == 0, "both begin alike"
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "is to learn stripes too" in page
    assert "Quincy" not in page + out.read_text() + result.output
    written = {kept: kept.stat().st_mtime_ns for kept in tmp_path.glob("features-*.npy")}
    assert experiment(folder, tmp_path, *small).exit_code == 0
    assert json.loads(out.read_text()) == figures
    assert {kept: kept.stat().st_mtime_ns for kept in tmp_path.glob("features-*.npy")} == written != {}


def test_what_cannot_be_done_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    result = experiment(folder, tmp_path, "--rounds", "5")

    assert result.exit_code == 1
    assert "radiographs of 12 patients are left to label" in result.output
    alone = CliRunner().invoke(main, ["experiment", "suggest", str(tmp_path), "--images", str(folder)])
    assert alone.exit_code == 2
    assert "--images and --labels go together" in alone.output


def test_the_archive_has_every_single_view_and_any_stretch_has_the_same_uneven_mix() -> None:
    assert set(ARCHIVE) == set(NAMES) - {SEVERAL_VIEWS}
    for part in (ARCHIVE, ARCHIVE[:125], ARCHIVE[125:]):
        counts = Counter(part)
        assert (
            counts["chest"] > counts["knee_ap"] > counts["hand_ap"] > counts["elbow_ap"] > counts["shoulder_axillary"]
        )
        assert sum(counts[key] for key in KEYS) == pytest.approx(len(part) / 2, abs=6)


def site(shares: tuple[float, ...], known: int) -> Site:
    """400 radiographs around one point a class, the last none of them; the model knows the first classes."""
    random = np.random.default_rng(0)
    labels = random.choice(len(shares), 400, p=shares).astype(np.int64)
    middles = random.normal(size=(len(shares), 6)) * 2
    features = (middles[labels] + random.normal(size=(400, 6))).astype(np.float32)
    weight = middles[[*range(known), len(shares) - 1]].astype(np.float32)
    bias = -np.square(weight).sum(axis=1) / 2
    classes = tuple("abcdefgh"[: len(shares) - 1])
    nothing = np.zeros((0, 6), np.float32), np.zeros(0, np.int64)
    return Site(classes, known, features, labels, np.arange(400) // 2, *nothing, weight, bias)


def test_new_classes_that_are_rare_are_found_sooner_by_suggestion() -> None:
    archive = site((0.46, 0.04, 0.04, 0.46), known=1)

    runs = [run(archive, PLAN, seed) for seed in range(1, 9)]

    suggested, at_random = (np.array([one[arm] for one in runs]) for arm in ARMS)
    assert np.array_equal(suggested[:, 0], at_random[:, 0])
    assert (suggested[:, -1].mean(axis=0) > at_random[:, -1].mean(axis=0)).all()
    assert runs[0] == run(archive, PLAN, 1)


def test_before_any_correction_the_model_answers_as_it_serves() -> None:
    archive = site((0.3, 0.3, 0.4), known=2)

    (recall, accuracy), *_ = run(archive, PLAN, 1)[ARMS[0]]

    said = (archive.features @ archive.weight.T + archive.bias).argmax(axis=1)
    assert accuracy == pytest.approx((said == archive.labels).mean(), abs=0.05)
    assert recall > 0.8


def test_the_verdict_says_whether_there_is_a_gain() -> None:
    curves = np.array([[[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]]] * 2)

    better = {ARMS[0]: curves + np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.0]]), ARMS[1]: curves}

    assert verdict(PLAN, better, 0).startswith("By mean recall, suggested corrections beat random ones: +0.100")
    assert "10 suggested ones are as good as 20 random" in verdict(PLAN, better, 0)
    assert verdict(PLAN, better, 1).startswith("By top-1 accuracy, suggested corrections do not beat random ones")


@pytest.mark.parametrize(("accuracy", "images"), [(0.4, 10.0), (0.55, 5.0), (0.7, 20.0), (0.9, None)])
def test_the_number_of_images_is_interpolated_between_rounds(accuracy: float, images: float | None) -> None:
    assert images_to_reach(accuracy, np.array([0.5, 0.6, 0.7]), PLAN) == (images and pytest.approx(images))
