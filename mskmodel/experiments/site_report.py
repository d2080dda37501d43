"""What the experiment at a site found, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mskmodel.experiments.site import MEASURES, Plan, Round, Site
from mskmodel.experiments.suggestion import mean_of
from mskmodel.judging import plots
from mskmodel.judging.report import Figure, Figures, Section, Table, page

__all__ = ["Runs", "site_figures", "site_page", "site_tables"]

#: The runs of each arm, one for each seed.
Runs = Mapping[str, Sequence[Sequence[Round]]]

_NAMES = {
    "top1": "top-1",
    "mean_recall": "mean recall",
    "none_auroc": "AUROC of none",
    "none_labelled": "none labelled",
    "abstained": "abstained",
    "given": "right label given",
    "given_at_rate": "given at the first version's rate",
    "oscr": "open-set rate",
}
#: Of these there are curves.
_DRAWN = ("given", "none_labelled", "given_at_rate", "top1")


def site_figures(plan: Plan, version: str, runs: Runs) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    plain = {arm: [[asdict(one) for one in rounds] for rounds in seeds] for arm, seeds in runs.items()}
    return {"plan": asdict(plan), "model": version, "runs": plain}


def site_tables(runs: Runs) -> list[Table]:
    """A table for each arm: a row for each measure; after each round the means of the first version and the new one."""
    tables = []
    for arm, seeds in runs.items():
        rounds = list(zip(*seeds, strict=True))
        head = ["", *(text for one in rounds for text in ("first version", f"{one[0].corrected} corrected"))]
        rows = [
            (
                _NAMES[name],
                *(
                    f"{np.mean([each[name] for each in found]):.3f}"
                    for one in rounds
                    for found in ([r.before for r in one], [r.measures for r in one])
                ),
            )
            for name in MEASURES
        ]
        passed = [text for one in rounds for text in ("", f"{sum(r.promoted for r in one)} of {len(one)}")]
        rows.append(("passed the gate", *passed))
        tables.append(
            Table(head, rows, f"Corrections {arm}; on all that nobody corrected, mean of {len(seeds)} seeds.")
        )
    return tables


def site_page(plan: Plan, site: Site, runs: Runs, lead: str) -> str:
    """The report as an HTML page."""
    figures = []
    for name in _DRAWN:
        lines = {arm: _curve(seeds, name) for arm, seeds in runs.items()}
        corrected = [0, *(one.corrected for one in next(iter(runs.values()))[0])]
        svg = plots.bands(corrected, "images corrected", lines, _NAMES[name])
        figures.append(Figure(svg, "On all that nobody corrected; mean of the seeds, and its 95 % interval."))
    reasons = [
        f"{arm}, seed {seed}, {one.corrected} corrections: {'passed' if one.promoted else 'refused'}: {one.reason}."
        for arm, seeds in runs.items()
        for seed, rounds in enumerate(seeds, 1)
        for one in rounds
    ]
    how = [
        f"Version {site.served.version} serves first. In each of {plan.rounds} rounds {plan.corrections} images are "
        "corrected; a job learns from all corrections so far and from a rehearsal of "
        f"{len(site.phantoms)} phantoms and {len(site.exemplars)} exemplars, and the gate decides. What it refuses is "
        "judged here too, but serves in no later round. Shuffled are suggested images with each other's labels.",
        f"A job asks both versions about {plan.sample} images that nobody has looked at, to find its operating point. "
        "Each seed trains, and draws this sample and what is random, anew; suggestions of a first round are the same.",
    ]
    sections = [
        Section("Curves", [Figures(figures)]),
        Section("Figures", site_tables(runs)),
        Section("The gate", reasons),
        Section("How", how),
    ]
    return page("A site corrects, and the model learns", lead, sections)


def _curve(seeds: Sequence[Sequence[Round]], name: str) -> Sequence[Any]:
    """Mean and interval of a measure, at the start and after each round."""
    values = np.array([[rounds[0].before[name], *(one.measures[name] for one in rounds)] for rounds in seeds])
    mean = mean_of(values)
    return (mean.mean, mean.low, mean.high)
