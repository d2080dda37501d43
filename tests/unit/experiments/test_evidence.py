"""The experiment with headers and siblings: from folder to page on small drawn pictures, and its arithmetic."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from mskmodel.evidence.claim import REGION, VIEW, Claims
from mskmodel.experiments.evidence import BELIEFS, MEASURES, Plan, Radiographs, Setting, measured, run
from mskmodel.experiments.evidence import Result as Judged
from mskmodel.experiments.simulated_site import (
    ALWAYS_THE_SAME,
    SILENT,
    STUDIES,
    USUAL,
    Habits,
    Shown,
    header,
    shown,
    studies,
)
from mskmodel.labels import KEYS
from mskmodel.registry.decision import Decision
from workers.cli import main

PLAN = Plan(stream=300, every=50)


@pytest.fixture(scope="module")
def radiographs() -> Radiographs:
    """300 radiographs, every fourth of none of the classes; of the others the pixels confuse two in five."""
    random = np.random.default_rng(0)
    labels = np.array([len(KEYS) if number % 4 == 0 else random.integers(len(KEYS)) for number in range(300)])
    seen = np.where(random.random(300) < 0.4, random.integers(0, len(KEYS), 300), labels)
    probabilities = np.full((300, len(KEYS) + 1), 0.4 / len(KEYS))
    probabilities[np.arange(300), seen] += 1 - probabilities.sum(axis=1)
    told = [KEYS[label] if label < len(KEYS) else None for label in labels]
    return Radiographs(KEYS, Decision(), probabilities, labels, tuple(shown(one, "hand_oblique", KEYS) for one in told))


def found(radiographs: Radiographs, habits: Habits = USUAL, belief: str = BELIEFS[0], study: str = "single") -> Judged:
    return run(radiographs, Setting(habits, belief, study), PLAN, 1)[-1]


def gain(judged: Judged) -> float:
    assert judged.together.top1 is not None and judged.alone.top1 is not None
    return judged.together.top1 - judged.alone.top1


def test_headers_that_say_nothing_change_nothing(radiographs: Radiographs) -> None:
    judged = found(radiographs, SILENT)

    assert judged.together == judged.alone


def test_right_headers_help_and_wrong_ones_hurt_until_they_are_known(radiographs: Radiographs) -> None:
    liars = Habits(wrong=1.0)

    assert gain(found(radiographs)) > 0.05
    assert gain(found(radiographs, liars)) < -0.05
    assert gain(found(radiographs, liars, BELIEFS[1])) > -0.01
    assert gain(found(radiographs, replace(liars, lie=ALWAYS_THE_SAME), BELIEFS[1])) > -0.01


def test_siblings_help_beside_headers(radiographs: Radiographs) -> None:
    assert gain(found(radiographs, study="one joint")) > gain(found(radiographs)) + 0.02


def test_a_site_that_learns_is_judged_while_it_does(radiographs: Radiographs) -> None:
    results = run(radiographs, Setting(USUAL, BELIEFS[1], "single"), PLAN, 1)

    assert [one.phase for one in results] == ["while learning", "after"]
    assert results == run(radiographs, Setting(USUAL, BELIEFS[1], "single"), PLAN, 1)
    assert results != run(radiographs, Setting(USUAL, BELIEFS[1], "single"), PLAN, 2)


def test_claims_are_absent_and_wrong_as_often_as_is_asked_for() -> None:
    random = np.random.default_rng(0)

    drawn = [header(Shown("knee", "lateral"), USUAL, KEYS, random) for _ in range(4000)]

    regions, views = (
        [one.terms[0] for each in drawn for one in each.claims if one.kind == kind] for kind in (REGION, VIEW)
    )
    assert len(regions) == pytest.approx(3000, rel=0.05)
    assert len(views) == pytest.approx(2400, rel=0.05)
    told = Counter(regions)
    assert told.pop("knee") == pytest.approx(0.85 * len(regions), rel=0.03)
    assert set(told) == {"ankle", "elbow", "foot", "hand", "pelvis", "shoulder", "chest"}
    assert max(told.values()) < 2 * min(told.values())
    assert Counter(views).keys() == {"ap", "lateral", "axillary", "oblique"}
    same = header(Shown("knee", "lateral"), Habits(1.0, ALWAYS_THE_SAME, 0.0, 0.0), KEYS, random)
    assert [one.terms for one in same.claims] == [("chest",), ("ap",)]
    assert header(Shown("knee", ""), Habits(no_region=1.0, no_view=0.0), KEYS, random) == Claims()


@pytest.mark.parametrize(
    ("label", "shows", "region", "view"),
    [
        ("knee_lateral", "", "knee", "lateral"),
        (None, "hand_oblique", "hand", "oblique"),
        (None, "ankle_foot_lat_ambig", "ankle", "lateral"),
        (None, "humerus_ap_with_shoulder", "chest", "ap"),
        (None, "hip", "chest", ""),
        (None, "", "chest", ""),
    ],
)
def test_what_a_radiograph_shows_is_read_from_its_label_or_from_words(
    label: str | None, shows: str, region: str, view: str
) -> None:
    assert shown(label, shows, KEYS) == Shown(region, view)


@pytest.mark.parametrize("kind", STUDIES)
def test_each_radiograph_is_of_one_study(radiographs: Radiographs, kind: str) -> None:
    groups = studies(radiographs.shown, kind, np.random.default_rng(0))

    assert sorted(np.concatenate(groups).tolist()) == list(range(300))
    sizes = Counter(map(len, groups))
    joints = [{radiographs.shown[row].region for row in group} for group in groups]
    if kind == "one joint":
        assert set(sizes) <= {1, 2, 3}
        assert all(len(one) == 1 for one in joints)
        assert sizes[1] < sizes[2] + sizes[3]
    if kind == "two joints":
        assert sum(len(one) == 2 for one in joints) > 0.8 * len(joints)


def test_the_right_labels_are_counted_at_equal_rates_of_none_labelled() -> None:
    """Of four images of a class and four of none, by confidence: right, none, right, none, wrong, right, none, none."""
    labels = np.array([0, 2, 0, 2, 0, 0, 2, 2])
    confidence = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.55])
    probabilities = np.stack([confidence, 0.8 - 0.8 * confidence, 0.2 - 0.2 * confidence], axis=1)
    probabilities[4] = probabilities[4, [1, 0, 2]]

    def given(rate: float) -> float | None:
        return measured(probabilities, labels, ("a", "b"), Decision(threshold=0.87), rate).given_at_rate

    figures = measured(probabilities, labels, ("a", "b"), Decision(threshold=0.87), None)
    assert (figures.top1, figures.given, figures.none_labelled) == (0.75, 0.25, 0.25)
    assert [given(rate) for rate in (0, 0.25, 0.5, 1)] == [0.25, 0.5, 0.75, 0.75]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("drawn")
    random = np.random.default_rng(0)
    lines = ["file,label,shows,patient"]
    for number in range(12):
        Image.fromarray(random.integers(0, 255, (90, 70), np.uint8)).save(directory / f"{number}.png")
        label, shows = ("", "hand_oblique") if number % 3 == 0 else (KEYS[number], KEYS[number])
        lines.append(f"{number}.png,{label},{shows},Quincy^{number}")
    (directory / "labels.csv").write_text("\n".join([*lines, "gone.png,knee_ap,knee_ap,Quincy^99"]))
    return directory


def experiment(folder: Path, work: Path, *options: str) -> Result:
    data = ("--images", str(folder), "--labels", str(folder / "labels.csv"), "--model", "shipped", "--device", "cpu")
    return CliRunner().invoke(main, ["experiment", "evidence", str(work), *data, *options])


def test_the_experiment_tells_people_and_programs_and_keeps_the_models_answers(folder: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "figures.json", tmp_path / "figures.csv"
    small = ("--seeds", "1", "--stream", "20", "--json", str(out), "--csv", str(rows))

    result = experiment(folder, tmp_path, *small)

    assert result.exit_code == 0, result.output
    assert "gone.png" in result.output
    figures = json.loads(out.read_text())
    assert (figures["images"], figures["images_of_none"]) == (8, 4)
    with rows.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * len(figures["results"])
    assert {line["by"] for line in lines} == {"pixels alone", "all evidence"}
    assert set(MEASURES) <= set(lines[0])
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "Quincy" not in page + out.read_text() + rows.read_text() + result.output
    (kept,) = tmp_path.glob("answers-*.npz")
    written = kept.stat().st_mtime_ns
    assert experiment(folder, tmp_path, *small).exit_code == 0
    assert json.loads(out.read_text()) == figures
    assert kept.stat().st_mtime_ns == written


def test_a_folder_with_nothing_to_read_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\ngone.png,knee_ap\n")
    data = ("--images", str(folder), "--labels", str(tmp_path / "labels.csv"), "--model", "shipped")

    result = CliRunner().invoke(main, ["experiment", "evidence", str(tmp_path / "work"), *data])

    assert result.exit_code == 1
    assert "none of the radiographs could be read" in result.output
