"""The whole loop at a site that the model has never met, without a PACS: suggest, correct, train, gate, serve, judge.

All but the fetching of images is what a training job does, by the same functions. A person is played by the labels of
the archive. After each round the version that serves is judged on what nobody corrected, and so is one that the gate
refused, so that it shows what the gate kept out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.judging.active_learning import Candidate, doubtful, suggest
from mskmodel.judging.evaluation import score
from mskmodel.judging.judgement import Judgement
from mskmodel.judging.open_set import Open, oscr
from mskmodel.network.alexnet import AlexNet, expanded
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Progress, TrainingSettings, train
from mskmodel.versions.beside import beside
from mskmodel.versions.comparison import Comparison
from mskmodel.versions.conversion import logits_of
from mskmodel.versions.learning import FOLDS, SETTINGS, Learned, Lessons, decided, learned, settings_of_run

__all__ = ["ARMS", "MEASURES", "Plan", "Round", "Site", "TooFew", "run"]

#: How corrections are chosen; the labels of the last are given to the wrong images, as if nobody had looked.
ARMS = ("suggested", "at random", "shuffled")
#: By which versions are judged; see `Round`.
MEASURES = ("top1", "mean_recall", "none_auroc", "none_labelled", "abstained", "given", "given_at_rate", "oscr")


class TooFew(Exception):
    """The archive has fewer images than the plan corrects, or none of the classes or of none of them is left over."""


@dataclass(frozen=True)
class Plan:
    """How a site works. ``sample``: images of the archive that a job asks both versions about."""

    corrections: int = 60
    rounds: int = 1
    sample: int = 300
    settings: TrainingSettings = SETTINGS


@dataclass(frozen=True, eq=False)
class Site:
    """An archive, the version that serves there at first, and what jobs rehearse.

    ``patients``: (n,) int64. ``logits``: (n, classes + 1), what that version says of the archive.
    """

    served: Classifier
    archive: Pictures
    patients: NDArray[np.int64]
    logits: NDArray[np.float32]
    phantoms: Pictures
    exemplars: Pictures


@dataclass(frozen=True)
class Round:
    """What came of a round. ``measures``: of the new version, by the names of ``MEASURES``, on all that is uncorrected.

    ``before``: those of the site's first version on the same images. ``given``: share of the images of the classes that
    get their right label; ``given_at_rate``: at the first version's rate of labels for none of the classes. ``wanted``,
    ``achieved``: the operating point that was wanted, and as it was estimated.
    """

    corrected: int
    promoted: bool
    reason: str
    threshold: float
    before: dict[str, float]
    measures: dict[str, float]
    wanted: dict[str, float]
    achieved: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Version:
    """A version that serves at the site, and its answers to the archive. ``kept``: how it was compared, if it was."""

    classifier: Classifier
    logits: NDArray[np.float32]
    kept: Comparison | None = None


def run(
    site: Site, plan: Plan, arm: str, seed: int, report: Callable[[Progress], None] | None = None
) -> tuple[Round, ...]:
    """Play all rounds in one of ``ARMS``. Every round starts from the first version, with all corrections so far.

    Raises TooFew.
    """
    random = np.random.default_rng(seed)
    serves, corrected, rounds = _Version(site.served, site.logits), np.zeros(0, np.int64), []
    labels = site.archive.labels.copy()
    for number in range(plan.rounds):
        rest = np.setdiff1d(np.arange(len(labels)), corrected)
        if len(rest) <= plan.corrections:
            raise TooFew(f"{len(rest)} images are left to correct; {plan.corrections} in each round need more")
        more = _chosen(site, serves, rest, arm, plan.corrections, random)
        labels[more] = random.permutation(labels[more]) if arm == "shuffled" else labels[more]
        corrected, rest = np.concatenate([corrected, more]), np.setdiff1d(rest, more)
        settings = replace(plan.settings, seed=seed * 1000 + number * 100)
        said = replace(site.archive.part(corrected), labels=labels[corrected])
        new, found = _job(site, serves, said, corrected, random.permutation(rest)[: plan.sample], settings, report)
        assert new.kept is not None
        verdict = new.kept.verdict
        first = _measures(site.logits[rest], site.archive.labels[rest], site.served)
        now = _measures(new.logits[rest], site.archive.labels[rest], new.classifier, first["none_labelled"])
        reason = "; ".join(verdict.reasons)
        decision = new.classifier.decision
        rounds.append(Round(len(corrected), verdict.passed, reason, decision.threshold, first, now, *found))
        serves = new if verdict.passed else serves
    return tuple(rounds)


def _chosen(
    site: Site, serves: _Version, rest: NDArray[np.int64], arm: str, count: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """The rows that are corrected next, by what an outcome in Orthanc holds of the rest. Headers are empty."""
    if arm == "at random":
        return np.sort(random.choice(rest, count, replace=False))
    classes, candidates = serves.classifier.classes, []
    for row, each in zip(rest.tolist(), serves.classifier.decision.probabilities(serves.logits[rest]), strict=True):
        order = np.argsort(-each[:-1], kind="stable")[:5]
        top = tuple((classes[i], float(each[i])) for i in order)
        candidates.append(Candidate(f"{row:09d}", top, bool(each[-1] >= top[0][1]), patient=str(site.patients[row])))
    return np.sort([int(each.key) for each in suggest(doubtful(candidates, count), count)])


def _job(
    site: Site,
    serves: _Version,
    said: Pictures,
    rows: NDArray[np.int64],
    sample: NDArray[np.int64],
    settings: TrainingSettings,
    report: Callable[[Progress], None] | None,
) -> tuple[_Version, tuple[dict[str, float], dict[str, float]]]:
    """What a training job makes of the corrections, and the operating point that it wanted and that it estimates."""
    served, classes = site.served, site.served.classes
    shape = served.model.architecture
    settings = replace(settings, hidden=shape.hidden, ranks=shape.ranks, looks=shape.looks)
    lessons = Lessons.of(said, site.patients[rows].astype(str).tolist(), site.phantoms, site.exemplars)
    base = expanded(served.model)
    runs = [_trained(base, lessons, fold, settings, served, report) for fold in range(FOLDS)]
    made = learned(base, runs, lessons, settings, served.preprocessing)
    archive = site.archive.part(sample)
    point = decided(made, lessons, archive, served, served.decision, served.preprocessing, classes)
    comparison = _compared(serves, made, point.decision, lessons)
    logits = logits_of(made.model, site.archive, served.preprocessing)
    classifier = Classifier("new", classes, made.model, served.preprocessing, point.decision, torch.device("cpu"))
    plain: Any = point.to_json()
    return _Version(classifier, logits, comparison), (plain["wanted"], plain["achieved"])


def _trained(
    base: AlexNet,
    lessons: Lessons,
    fold: int,
    settings: TrainingSettings,
    served: Classifier,
    report: Callable[[Progress], None] | None,
) -> dict[str, torch.Tensor]:
    own = settings_of_run(settings, fold)
    model = train(copy.deepcopy(base), lessons.sources(fold), served.preprocessing, own, report)
    return {name: tensor.half() for name, tensor in model.state_dict().items()}


def _compared(serves: _Version, made: Learned, decision: Decision, lessons: Lessons) -> Comparison:
    judged = Pictures.joined([lessons.corrections, lessons.phantoms])
    phantoms = np.repeat([False, True], [len(lessons.corrections), len(lessons.phantoms)])
    kept = serves.kept.new if serves.kept else None
    return beside(serves.classifier, made.logits, decision, serves.classifier.classes, judged, phantoms, kept)


def _measures(
    logits: NDArray[np.float32], labels: NDArray[np.int64], version: Classifier, rate: float | None = None
) -> dict[str, float]:
    """By the names of ``MEASURES``. ``rate``: of labels for none of the classes; None for the version's own."""
    judged = Judgement.of(logits, labels, version.decision)
    figures = score(logits, labels, version.classes, version.decision)
    if not figures.count or not figures.none_count:
        raise TooFew("nothing is left to judge by: there must be images of the classes and of none of them")
    ours, right = judged.ours, judged.right
    none = np.sort(judged.confidence[~ours])[::-1]
    at = round((float(judged.answered[~ours].mean()) if rate is None else rate) * len(none))
    surer = judged.confidence > none[at] if at < len(none) else np.ones(len(ours), np.bool_)
    found = {name: float(getattr(figures, name)) for name in MEASURES[:5]}
    return found | {
        "given": float((right & judged.answered)[ours].mean()),
        "given_at_rate": float((right & surer)[ours].mean()),
        "oscr": oscr(Open(right, judged.confidence, ours)),
    }
