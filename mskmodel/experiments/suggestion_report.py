"""What the experiment with suggestions found, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.experiments.suggestion import ARMS, MEASURES, Mean, Plan, Site, images_to_reach, mean_of
from mskmodel.judging import plots
from mskmodel.judging.report import Figure, Figures, Section, Table, page

__all__ = ["suggestion_figures", "suggestion_page", "suggestion_table", "verdict"]

#: Values of `MEASURES` by arm, (seeds, rounds + 1, 2).
Found = dict[str, NDArray[np.float64]]


def suggestion_figures(plan: Plan, site: Site, found: Found, version: str, sha256: str) -> dict[str, Any]:
    """Everything as plain values, for JSON. ``gain``: suggested minus random, seed by seed."""
    measures = {}
    for number, measure in enumerate(MEASURES):
        suggested, at_random = (found[arm][..., number] for arm in ARMS)
        goal = float(at_random.mean(axis=0)[-1])
        measures[measure] = {
            "suggested": _plain(mean_of(suggested)),
            "at random": _plain(mean_of(at_random)),
            "gain": _plain(mean_of(suggested - at_random)),
            "corrections_at_random": plan.each * plan.rounds,
            "corrections_suggested_for_the_same": images_to_reach(goal, suggested.mean(axis=0), plan),
        }
    return {
        "plan": asdict(plan),
        "model": version,
        "classes": site.classes,
        "sha256": sha256,
        "corrected": _corrected(plan),
        "measures": measures,
        "seeds": {arm: values.tolist() for arm, values in found.items()},
    }


def suggestion_table(plan: Plan, found: Found, measure: int) -> Table:
    """One row per round, of one of `MEASURES`."""
    means = {arm: mean_of(values[..., measure]) for arm, values in found.items()}
    gain = mean_of((found[ARMS[0]] - found[ARMS[1]])[..., measure])
    rows = [
        (
            str(corrected),
            *(_shown(means[arm], number) for arm in ARMS),
            f"{gain.mean[number]:+.3f} ({gain.low[number]:+.3f} to {gain.high[number]:+.3f})",
        )
        for number, corrected in enumerate(_corrected(plan))
    ]
    return Table(("corrected", *ARMS, "difference"), rows, MEASURES[measure])


def verdict(plan: Plan, found: Found, measure: int) -> str:
    """The result by one of `MEASURES`, in a sentence, also where there is no gain."""
    suggested, at_random = (found[arm][..., measure] for arm in ARMS)
    # Before the first round both are the same.
    overall = mean_of((suggested - at_random)[:, 1:].mean(axis=1, keepdims=True))
    by = f"{overall.mean[0]:+.3f} over all rounds (95 % {overall.low[0]:+.3f} to {overall.high[0]:+.3f})"
    if overall.low[0] <= 0:
        return f"By {MEASURES[measure]}, suggested corrections do not beat random ones beyond the noise: {by}."
    enough = images_to_reach(float(at_random.mean(axis=0)[-1]), suggested.mean(axis=0), plan)
    saved = "" if enough is None else f"; {enough:.0f} suggested ones are as good as {plan.each * plan.rounds} random"
    return f"By {MEASURES[measure]}, suggested corrections beat random ones: {by}{saved}."


def suggestion_page(plan: Plan, site: Site, found: Found, version: str, lead: str) -> str:
    """The report as an HTML page."""
    figures, tables = [], []
    for number, measure in enumerate(MEASURES):
        means = {arm: mean_of(values[..., number]) for arm, values in found.items()}
        lines = {arm: (one.mean, one.low, one.high) for arm, one in means.items()}
        svg = plots.bands(_corrected(plan), "radiographs corrected", lines, measure)
        figures.append(
            Figure(svg, f"On held-out patients; mean of {len(found[ARMS[0]])} seeds, and its 95 % interval.")
        )
        tables.append(suggestion_table(plan, found, number))
    new = site.classes[site.known :]
    further = f" and is to learn {', '.join(new)} too" if new else ""
    how = [
        f"Model {version} serves{further}. In each of {plan.rounds} rounds, {plan.each} radiographs are corrected: "
        "those that msk jobs suggest would name, or as many at random. Then the model is trained anew on all "
        f"corrections and judged on the {plan.held_out:.0%} of the patients that are held out. Each seed holds out "
        "others, the same for both ways.",
        "So that a round takes a second, only the last layer is trained, on the first "
        f"{site.features.shape[1]} principal components of the other layers' output. It is held near its earlier "
        f"weights. {len(site.rehearsed)} phantoms are rehearsed, and every class is drawn as often as any other. "
        "Training of the whole network may gain more or less. Headers are empty here, so the figures do not include "
        "suggestions because of a header that contradicts the model.",
        "The intervals (10,000 bootstrap samples of the seeds) say how much another split would change the means. All "
        "seeds share the same radiographs, so the intervals do not say how much other radiographs would.",
    ]
    sections = [
        Section("Curves", [*(verdict(plan, found, number) for number in range(len(MEASURES))), Figures(figures)]),
        Section("Figures", tables),
        Section("How", how),
    ]
    return page("What to correct next: suggested or at random", lead, sections)


def _corrected(plan: Plan) -> list[int]:
    return [plan.each * number for number in range(plan.rounds + 1)]


def _plain(mean: Mean) -> dict[str, list[float]]:
    return {"mean": mean.mean.tolist(), "low": mean.low.tolist(), "high": mean.high.tolist()}


def _shown(mean: Mean, number: int) -> str:
    return f"{mean.mean[number]:.3f} ({mean.low[number]:.3f}-{mean.high[number]:.3f})"
