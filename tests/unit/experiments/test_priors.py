"""The experiment with priors: from folder to page on drawn pictures, its patients, and what it is judged by."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mskmodel.experiments.priors import ARMS, MEASURES, Pixels, Result, run
from mskmodel.experiments.published_relevance import is_relevant
from mskmodel.experiments.simulated_patients import VIEWS, patient
from mskmodel.labels import KEYS
from mskmodel.phantoms.views import NAMES
from mskmodel.registry.decision import Decision
from workers.cli import main

DECISION = Decision(threshold=0.6)


def answering(right: float) -> Pixels:
    """A model that gives so much to what is shown, if that is a class, and spreads the rest."""
    answers = {}
    for view in VIEWS:
        at = KEYS.index(view) if view in KEYS else len(KEYS)
        row = np.full(len(KEYS) + 1, (1 - right) / len(KEYS))
        row[at] = right
        answers[view] = [DECISION.decide(row, KEYS)]
    return Pixels(KEYS, DECISION, answers)


def rate(result: Result, name: str) -> float:
    return sum(each.hits[name] for each in result.counts) / sum(each.cases[name] for each in result.counts)


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    return run(answering(0.99), 60, (1, 2))


def test_with_right_labels_hardly_any_prior_is_missed_or_offered_wrongly(found: dict[str, Result]) -> None:
    right = found[ARMS[0]]
    assert rate(right, "sensitivity") >= 0.98 and rate(right, "specificity") >= 0.98
    assert sum(each.cases["sensitivity"] for each in right.counts) > 300


def test_headers_alone_find_less_than_labels_do(found: dict[str, Result]) -> None:
    right, *_, headers = (found[arm] for arm in ARMS)
    assert rate(headers, "sensitivity") < 0.6 < rate(right, "sensitivity")
    misses = [each for each in headers.mistakes if each.is_miss]
    assert misses and all("pixels" not in each.told for each in headers.mistakes)


def test_what_the_model_says_decides(found: dict[str, Result]) -> None:
    blind = run(answering(1 / (len(KEYS) + 1)), 60, (1, 2))
    by_pixels = ARMS[2]
    assert rate(found[by_pixels], "sensitivity, classes") > 0.98
    assert rate(blind[by_pixels], "sensitivity") == rate(blind[ARMS[3]], "sensitivity"), "it abstains"
    assert [each.told for each in blind[by_pixels].mistakes] == [each.told for each in blind[ARMS[3]].mistakes]


def test_all_arms_meet_the_same_patients_and_each_seed_others(found: dict[str, Result]) -> None:
    cases = [[each.cases["sensitivity"] for each in found[arm].counts] for arm in ARMS]
    assert all(each == cases[0] for each in cases) and cases[0][0] != cases[0][1]
    assert run(answering(0.99), 20, (1,)) == run(answering(0.99), 20, (1,))


def test_half_of_the_headers_are_of_no_use_and_sides_are_right_or_absent() -> None:
    random = np.random.default_rng(5)
    films = [film for _ in range(300) for visit in patient(KEYS, random) for film in visit.films]
    told = [{term for one in film.claims.claims if one.kind == "region" for term in one.terms} for film in films]
    useful = np.mean([film.region in terms for film, terms in zip(films, told, strict=True)])
    assert 0.4 < useful < 0.5
    assert {(film.side, film.claims.side) for film in films} == {("R", "R"), ("L", "L"), ("R", ""), ("L", ""), ("", "")}


@pytest.mark.parametrize(
    ("one", "other", "relevant"),
    [
        (("knee", "R"), ("knee", "R"), True),
        (("knee", "R"), ("knee", "L"), False),
        (("knee", "R"), ("knee", ""), True),
        (("foot", "L"), ("calcaneus", "L"), True),
        (("foot", "L"), ("calcaneus", "R"), False),
        (("pelvis", ""), ("hip", "L"), True),
        (("hand", "R"), ("foot", "R"), False),
        (("knee", "R"), ("hip", "R"), False),
    ],
)
def test_what_is_relevant_is_fixed(one: tuple[str, str], other: tuple[str, str], relevant: bool) -> None:
    assert is_relevant(*one, *other) == is_relevant(*other, *one) == relevant


def test_the_command_reports_figures_and_mistakes(tmp_path: Path) -> None:
    folder, random = tmp_path / "phantoms-1", np.random.default_rng(1)
    folder.mkdir()
    with (folder / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "shows"))
        for view in VIEWS:
            Image.fromarray(random.integers(0, 255, (60, 50), np.uint8)).save(folder / f"{view}.png")
            writer.writerow((f"{view}.png", view))
    figures = tmp_path / "figures.json"
    options = ("--phantoms", "1", "--model", "shipped", "--patients", "20", "--seeds", "2", "--json", str(figures))
    done = CliRunner().invoke(main, ["experiment", "priors", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    assert "sensitivity" in done.output and "right labels" in done.output
    arms = json.loads(figures.read_text())["arms"]
    assert tuple(arms) == ARMS and len(arms[ARMS[0]]) == 2 and set(arms[ARMS[0]][0]) == set(MEASURES)
    page = (tmp_path / "report.html").read_text()
    assert "Mistakes: headers" in page and "current films" in page and "<script" not in page


def test_every_view_has_phantoms() -> None:
    assert set(VIEWS) <= set(NAMES)
