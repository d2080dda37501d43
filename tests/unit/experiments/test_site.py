"""The experiment at a site: from folder to page on small drawn pictures, and what a round is made of."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from mskmodel.experiments import site as experiment
from mskmodel.experiments.site import MEASURES, Plan, Site, TooFew, run
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import new_model
from mskmodel.versions.conversion import finished, logits_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights
from workers.cli import main

PLAN = Plan(corrections=9, rounds=2, sample=10, settings=QUICK)


@pytest.fixture(scope="module")
def site() -> Site:
    """Sixty drawn pictures of thirty patients, and a version that guesses."""
    archive = pictures(60)
    model = finished(new_model(CLASSES, QUICK, weights()).eval(), QUICK)
    served = Classifier("guesses", CLASSES, model, Preprocessing(), Decision(), torch.device("cpu"))
    logits = logits_of(model, archive, Preprocessing())
    return Site(served, archive, np.arange(60) // 2, logits, pictures(9, seed=1), pictures(6, seed=2))


@pytest.fixture(scope="module")
def suggested(site: Site) -> tuple[experiment.Round, ...]:
    return run(site, PLAN, "suggested", 1)


def test_each_round_learns_from_more_and_is_judged_on_what_nobody_corrected(
    suggested: tuple[experiment.Round, ...],
) -> None:
    assert [one.corrected for one in suggested] == [9, 18]
    for one in suggested:
        assert set(one.before) == set(one.measures) == set(MEASURES)
        assert one.before["given_at_rate"] >= one.before["given"]
        assert all(np.isfinite(list(one.measures.values())))
        assert one.reason


def test_the_same_seed_gives_the_same_and_the_arms_differ_by_what_is_corrected(
    site: Site, suggested: tuple[experiment.Round, ...]
) -> None:
    first = replace(PLAN, rounds=1)
    assert run(site, first, "suggested", 1) == suggested[:1]
    assert run(site, first, "at random", 1)[0].before != suggested[0].before
    assert run(site, first, "shuffled", 1)[0].before == suggested[0].before


def test_more_corrections_than_there_are_images_is_refused(site: Site) -> None:
    with pytest.raises(TooFew, match="60 images are left to correct; 60 in each round"):
        run(site, replace(PLAN, corrections=60), "at random", 1)


def test_the_command_writes_a_page_and_reuses_finished_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "Plan", partial(Plan, sample=4, settings=replace(QUICK, views=4)))
    lines = ["file,label,patient"]
    for number, values in enumerate(pictures(30).values):
        Image.fromarray(values[:96, :80]).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{('knee_ap', 'hand_ap', 'none')[number % 3]},Quincy^{number // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    given = ["--images", tmp_path, "--labels", tmp_path / "labels.csv", "--model", "shipped", "--rehearsal", 0]
    given += ["--corrections", 6, "--json", tmp_path / "out.json", "--without", "source=doi.org"]
    given += ["--arm", "shuffled"]

    def command() -> str:
        result = CliRunner().invoke(main, ["experiment", "site", str(tmp_path / "work"), *map(str, given)])
        assert result.exit_code == 0, result.output
        return result.output

    said = command()
    figures = json.loads((tmp_path / "out.json").read_text())
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("run-*.json")}
    command()

    assert [(arm, len(seeds)) for arm, seeds in figures["runs"].items()] == [("shuffled", 2)]
    assert json.loads((tmp_path / "out.json").read_text()) == figures
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(kept) == 2
    page = (tmp_path / "work" / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "shuffled, seed 2, 6 corrections:" in page
    assert "Quincy" not in page + said + json.dumps(figures)
