"""What the experiment with headers and siblings found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mskmodel.experiments.evidence import BELIEFS, MEASURES, Figures, Plan, Radiographs, Result, Setting
from mskmodel.experiments.simulated_site import LIES, SILENT, STUDIES, USUAL
from mskmodel.experiments.suggestion import Mean, mean_of
from mskmodel.judging import plots
from mskmodel.judging.evaluation_report import rate
from mskmodel.judging.report import Figure, Section, Table, page
from mskmodel.judging.report import Figures as Plots

__all__ = ["COLUMNS", "evidence_figures", "evidence_page", "evidence_rows", "evidence_tables"]

#: Columns of the table with a row for each run.
COLUMNS = ("wrong", "lie", "no_region", "no_view", "belief", "study", "phase", "seed", "by", *MEASURES)
_ALONE, _TOGETHER = "pixels alone", "all evidence"
#: What is drawn.
_DRAWN = ("top1", "given_at_rate")


def evidence_figures(plan: Plan, radiographs: Radiographs, results: Sequence[Result], version: str) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return {
        "plan": asdict(plan),
        "model": version,
        "classes": radiographs.classes,
        "images": int((radiographs.labels < len(radiographs.classes)).sum()),
        "images_of_none": int((radiographs.labels == len(radiographs.classes)).sum()),
        "measures": MEASURES,
        "results": [asdict(one) for one in results],
    }


def evidence_rows(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """Two rows a run, as in `COLUMNS`: of the pixels alone and of all evidence."""
    return [
        (
            habits.wrong,
            habits.lie,
            habits.no_region,
            habits.no_view,
            one.setting.belief,
            one.setting.study,
            one.phase,
            one.seed,
            by,
            *("" if getattr(figures, name) is None else f"{getattr(figures, name):.4f}" for name in MEASURES),
        )
        for one in results
        for habits in (one.setting.habits,)
        for by, figures in ((_ALONE, one.alone), (_TOGETHER, one.together))
    ]


def evidence_tables(results: Sequence[Result]) -> list[Table]:
    """Means over the seeds: sites whose headers are wrong more or less often, and sites with studies."""
    head = ("wrong", "how", "believed", *MEASURES.values())
    tables = []
    for phase, caption in (("while learning", "While learning."), ("after", "Radiographs of one film each.")):
        rows = [
            (f"{one.habits.wrong:.0%}", one.habits.lie, one.belief, *_means(results, one, phase))
            for one in _settings(results, phase, STUDIES[0])
            if _talks(one)
        ]
        tables.append(Table(head, rows, caption))
    rows = [
        (f"{one.habits.wrong:.0%} wrong" if _talks(one) else "none", one.study, *_means(results, one, "after"))
        for study in STUDIES
        for one in _settings(results, "after", study)
        if one.belief == BELIEFS[0] and one.habits in (USUAL, SILENT)
    ]
    return [*tables, Table(("headers", "studies", *MEASURES.values()), rows, "Siblings.")]


def evidence_page(plan: Plan, results: Sequence[Result], version: str, lead: str) -> str:
    """The report as an HTML page."""
    how = [
        f"The pixels' answers are those of model {version}. Headers are made up: of each image, the region is claimed "
        "with a chance of 75 %, the view with one of 60 %. Of the claims, some are wrong: drawn evenly from the other "
        "regions (those of the classes, and one that stands for all others) and the other views; or always the same, "
        "chest and AP. Region and view are wrong independently of each other.",
        f"A site takes its headers to be worth what literature says, or learns it from {plan.stream} images, each "
        f"answered with what was learned from those before it, anew after every {plan.every}; then it is judged on all "
        "images with new headers. No truth is told to it.",
        "Studies are pairs and threes of images of one region, drawn at random whatever their views, and of two such "
        "groups for two joints. In a hospital a study's views differ more, and its headers are wrong together.",
        f"“{MEASURES['given_at_rate']}” moves the threshold until as many images of none of the classes get a label as "
        "by the pixels alone at the version's own threshold; all other figures are at that threshold itself.",
        "The bands are 95 % intervals of the mean over seeds. All seeds share the same images, so they do not say how "
        "much other images would change the figures.",
    ]
    drawn = [_plot(results, lie, measure) for lie in LIES for measure in _DRAWN]
    return page(
        "Header and study as evidence",
        lead,
        [Section("Curves", [Plots(drawn)]), Section("Figures", evidence_tables(results)), Section("How", how)],
    )


def _plot(results: Sequence[Result], lie: str, measure: str) -> Figure:
    sites = [one for one in _settings(results, "after", STUDIES[0]) if one.habits.lie == lie and _talks(one)]
    wrong = sorted({one.habits.wrong for one in sites})
    lines = {}
    for name in (_ALONE, *BELIEFS):
        belief = BELIEFS[0] if name == _ALONE else name
        points = [
            _mean([each.alone if name == _ALONE else each.together for each in _of(results, one, "after")], measure)
            for share in wrong
            for one in sites
            if one.belief == belief and one.habits.wrong == share
        ]
        lines[name] = [np.array([getattr(point, end)[0] for point in points]) for end in ("mean", "low", "high")]
    svg = plots.bands([round(100 * share) for share in wrong], "% of claims wrong", lines, MEASURES[measure])
    return Figure(svg, f"{MEASURES[measure].capitalize()}; wrong claims are {lie}.")


def _settings(results: Sequence[Result], phase: str, study: str) -> list[Setting]:
    return list(dict.fromkeys(one.setting for one in results if one.phase == phase and one.setting.study == study))


def _of(results: Sequence[Result], setting: Setting, phase: str) -> list[Result]:
    return [one for one in results if one.setting == setting and one.phase == phase]


def _mean(figures: Sequence[Figures], measure: str) -> Mean:
    """Mean of a measure over the seeds, NaN where there is nothing to divide by."""
    values = [getattr(one, measure) for one in figures]
    return mean_of(np.array([[np.nan if value is None else value] for value in values]))


def _means(results: Sequence[Result], setting: Setting, phase: str) -> list[str]:
    """Of all evidence and, in brackets, of the pixels alone."""
    runs = _of(results, setting, phase)
    found = []
    for measure in MEASURES:
        together, alone = (
            _mean(some, measure).mean[0] for some in ([r.together for r in runs], [r.alone for r in runs])
        )
        found.append("" if np.isnan(together) else f"{rate(float(together))} ({rate(float(alone))})")
    return found


def _talks(setting: Setting) -> bool:
    return setting.habits != SILENT
