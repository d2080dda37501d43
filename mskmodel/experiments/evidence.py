"""What headers and siblings add to the pixels, by simulation of sites whose headers are wrong more or less often.

Each site keeps the pixels' answers to real radiographs; headers and studies are made up around them. It believes its
headers as literature does, or learns what they are worth: from a stream of radiographs, each of which is answered with
what was learned from those before it, and then judged on all radiographs with new headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import Sibling, combined
from mskmodel.evidence.learning import Observation, learned
from mskmodel.evidence.reliability import PRIOR, Reliability
from mskmodel.experiments.simulated_site import LIES, SILENT, STUDIES, USUAL, Habits, Shown, header, studies
from mskmodel.judging.evaluation import as_logits, score
from mskmodel.judging.judgement import Judgement
from mskmodel.registry.decision import Decision

__all__ = ["BELIEFS", "MEASURES", "Figures", "Plan", "Radiographs", "Result", "Setting", "measured", "run", "settings"]

#: What a site takes its headers to be worth.
BELIEFS: Final = ("as in literature", "learned")
#: What an answer is judged by; see `Figures`.
MEASURES: Final = {
    "top1": "top-1",
    "mean_recall": "mean recall",
    "given": "right label given",
    "given_at_rate": "given at equal rate",
    "none_labelled": "none labelled",
    "none_auroc": "AUROC of none",
    "calibration_error": "calibration error",
}


@dataclass(frozen=True)
class Plan:
    """What is simulated."""

    wrong: tuple[float, ...] = (0.0, 0.15, 0.3, 0.4, 0.6, 0.8, 1.0)
    stream: int = 500  # radiographs to learn from
    every: int = 25  # radiographs after which a site learns anew


@dataclass(frozen=True, eq=False)
class Radiographs:
    """The pixels' answers: (n, classes + 1) ``probabilities``, (n,) true ``labels``; what each of them shows."""

    classes: tuple[str, ...]
    decision: Decision
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Setting:
    """A site. ``belief``: one of `BELIEFS`; ``study``: one of `STUDIES`."""

    habits: Habits
    belief: str
    study: str


@dataclass(frozen=True)
class Figures:
    """Rates, 0..1; None where there is nothing to divide by.

    ``given``: share of the images of the classes that get their right label. ``given_at_rate``: the same at the
    threshold at which as many images of none of the classes get a label as by the pixels alone.
    """

    top1: float | None
    mean_recall: float | None
    given: float | None
    given_at_rate: float | None
    none_labelled: float | None
    none_auroc: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class Result:
    """One run of a site. ``phase``: ``while learning``, or ``after`` it, which is all there is without learning.

    ``alone`` and ``together`` are of the same radiographs: of the pixels alone, and of all evidence.
    """

    setting: Setting
    seed: int
    phase: str
    alone: Figures
    together: Figures


def settings(plan: Plan) -> list[Setting]:
    """Every site of the plan: headers alone, then siblings alone, then both."""
    found = [
        Setting(Habits(wrong, lie), belief, STUDIES[0]) for lie in LIES for wrong in plan.wrong for belief in BELIEFS
    ]
    found += [Setting(habits, BELIEFS[0], study) for habits in (SILENT, USUAL) for study in STUDIES]
    return list(dict.fromkeys(found))


def run(radiographs: Radiographs, setting: Setting, plan: Plan, seed: int) -> list[Result]:
    """Simulate one site."""
    random = np.random.default_rng(seed)
    results, reliability = [], PRIOR
    if setting.belief == BELIEFS[1]:
        rows, answers, reliability = _learning(radiographs, setting.habits, plan, random)
        results.append(_result(radiographs, setting, seed, "while learning", rows, answers))
    claims = [header(one, setting.habits, radiographs.classes, random) for one in radiographs.shown]
    groups = studies(radiographs.shown, setting.study, random)
    answers = _answers(radiographs, claims, groups, reliability)
    return [*results, _result(radiographs, setting, seed, "after", np.arange(len(answers)), answers)]


def measured(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    decision: Decision,
    none_labelled: float | None,
) -> Figures:
    """Judge (n, classes + 1) probabilities. ``none_labelled``: the rate for ``given_at_rate``; None for their own."""
    plain, logits = Decision(threshold=decision.threshold), as_logits(probabilities)
    found = score(logits, labels, classes, plain)
    judged = Judgement.of(logits, labels, plain)
    rate = found.none_labelled if none_labelled is None else none_labelled
    return Figures(
        found.top1,
        found.mean_recall,
        _share(judged.right & judged.answered, judged.ours),
        None if rate is None else _given_at(judged, probabilities[:, -1], rate),
        found.none_labelled,
        found.none_auroc,
        found.calibration_error,
    )


def _learning(
    radiographs: Radiographs, habits: Habits, plan: Plan, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64], Reliability]:
    """A stream of radiographs in random order, again and again: its rows, the answers to them, what was learned."""
    count = len(radiographs.labels)
    passes = -(-plan.stream // count)
    rows = np.concatenate([random.permutation(count) for _ in range(passes)])[: plan.stream]
    reliability, seen, answers = PRIOR, list[Observation](), []
    for number, row in enumerate(rows):
        claims = header(radiographs.shown[row], habits, radiographs.classes, random)
        pixels = radiographs.probabilities[row]
        answers.append(combined(pixels, radiographs.classes, claims, (), reliability).probabilities)
        seen.append(Observation(pixels, claims, patient=str(number)))
        if len(seen) % plan.every == 0:
            reliability = learned(seen, radiographs.classes)
    return rows, np.array(answers), reliability


def _answers(
    radiographs: Radiographs, claims: Sequence[Claims], groups: Sequence[NDArray[np.int64]], reliability: Reliability
) -> NDArray[np.float64]:
    found = np.zeros_like(radiographs.probabilities)
    for group in groups:
        films = {row: Sibling(radiographs.classes, radiographs.probabilities[row], claims[row]) for row in group}
        for row, film in films.items():
            siblings = [other for number, other in films.items() if number != row]
            found[row] = combined(film.pixels, film.classes, film.claims, siblings, reliability).probabilities
    return found


def _result(
    radiographs: Radiographs,
    setting: Setting,
    seed: int,
    phase: str,
    rows: NDArray[np.int64],
    answers: NDArray[np.float64],
) -> Result:
    labels, classes, decision = radiographs.labels[rows], radiographs.classes, radiographs.decision
    alone = measured(radiographs.probabilities[rows], labels, classes, decision, None)
    together = measured(answers, labels, classes, decision, alone.none_labelled)
    return Result(setting, seed, phase, alone, together)


def _given_at(judged: Judgement, none: NDArray[np.float64], rate: float) -> float | None:
    """Right labels given where at most that share of none of the classes gets a label, by confidence."""
    likelier = judged.confidence > none
    rivals = np.sort(judged.confidence[~judged.ours & likelier])[::-1]
    allowed = round(rate * int((~judged.ours).sum()))
    threshold = rivals[allowed] if allowed < len(rivals) else -1.0
    return _share(judged.right & likelier & (judged.confidence > threshold), judged.ours)


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    return float(hits[among].mean()) if among.any() else None
