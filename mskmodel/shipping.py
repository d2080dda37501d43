"""How the shipped model is made: phantoms first, then phantoms with real radiographs, judged by folds.

Reads from top to bottom: the recipe, its steps. A fold's radiographs are judged by a model that saw none of their
patients; temperature and threshold of what ships come from those answers, never from the training itself. Each step
that took long lies in a folder and is not done again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.alexnet import AlexNet
from mskmodel.checkpoint import Checkpoint
from mskmodel.classifier import Decision
from mskmodel.dataset import Pictures
from mskmodel.evaluation import Evaluation, score
from mskmodel.preprocessing import Preprocessing
from mskmodel.training import Epoch, Progress, Settings, Source, new_model, train
from mskmodel.versions import calibrated, finished, logits_of, tensors_of
from mskmodel.weights import StartingWeights

__all__ = ["Data", "Real", "Recipe", "by_folds", "calibrated_by_folds", "folds_of", "pretrained", "version"]

#: Told of each step's name and progress.
Report = Callable[[str, Progress], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen; each figure was kept because the folds, or phantoms alone, said so."""

    phantoms: int = 3300
    pretraining: Settings = field(default_factory=lambda: Settings(epochs=6, views=4000))
    finetuning: Settings = field(default_factory=lambda: Settings(epochs=1, views=3000, rate=0.008, none_weight=4.0))
    real: float = 0.35  # share of the draws in fine-tuning
    folds: int = 5
    threshold: float = 0.7  # by fold, no label of a class was wrong from there on, and two thirds of them are given


@dataclass(frozen=True, eq=False)
class Real:
    """Real radiographs. ``patients``: (n,) int64. ``trainable``: (n,) bool; the others are judged only."""

    pictures: Pictures
    patients: NDArray[np.int64]
    trainable: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Data:
    """``held_out``: phantoms of other patients than ``phantoms``."""

    classes: tuple[str, ...]
    phantoms: Pictures
    held_out: Pictures
    real: Real


def pretrained(recipe: Recipe, data: Data, start: StartingWeights, folder: Path, report: Report) -> AlexNet:
    """Trained on phantoms alone; goes on from the last epoch that ``folder`` holds."""
    kept = folder / "pretraining.safetensors"
    settings = recipe.pretraining
    model = new_model(data.classes, settings, start.tensors)
    resume = Checkpoint.load(kept) if kept.is_file() else None

    def keep(epoch: Epoch) -> None:
        epoch.checkpoint().save(kept)

    told = partial(report, "phantoms")
    sources = [Source("phantoms", data.phantoms, 1.0)]
    return train(model, sources, Preprocessing(), settings, told, None, keep, resume)


def folds_of(patients: NDArray[np.int64], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Fold of each radiograph, (n,) int64: a patient in one, each class spread as evenly as that allows."""
    names, sizes = np.unique(patients, return_counts=True)
    classes = int(labels.max()) + 1
    held, folds = np.zeros((count, classes)), np.zeros(len(patients), np.int64)
    # The largest first; small ones fill up.
    for name in names[np.argsort(-sizes, kind="stable")]:
        own = patients == name
        shown = np.bincount(labels[own], minlength=classes)
        fold = int(np.argmin(held @ shown + 0.01 * held.sum(axis=1)))
        held[fold] += shown
        folds[own] = fold
    return folds


def by_folds(recipe: Recipe, data: Data, base: AlexNet, folder: Path, report: Report) -> NDArray[np.float32]:
    """What models say of the real radiographs of which they saw no patient: (n, classes + 1) logits."""
    real = data.real
    folds = folds_of(real.patients, real.pictures.labels, recipe.folds)
    logits = np.zeros((len(folds), len(data.classes) + 1), np.float32)
    for fold in range(recipe.folds):
        kept, unseen = folder / f"fold-{fold + 1}.npy", folds == fold
        if not kept.is_file():
            seen = real.pictures.part(~unseen & real.trainable)
            told = partial(report, f"fold {fold + 1} of {recipe.folds}")
            model = _cut(_finetuned(recipe, data, base, seen, told), recipe)
            np.save(kept, logits_of(model, real.pictures.part(unseen), Preprocessing()))
        logits[unseen] = np.load(kept)
    return logits


def calibrated_by_folds(recipe: Recipe, data: Data, logits: NDArray[np.float32]) -> tuple[Decision, Evaluation]:
    """Temperature from all folds; figures of each fold by what the others would have chosen."""
    real = data.real
    folds = folds_of(real.patients, real.pictures.labels, recipe.folds)
    scaled = np.zeros_like(logits)
    for fold in range(recipe.folds):
        others = folds != fold
        chosen = _decision(recipe, logits[others], real.pictures.labels[others])
        scaled[~others] = logits[~others] / chosen.temperature
    decision = _decision(recipe, logits, real.pictures.labels)
    return decision, score(scaled, real.pictures.labels, data.classes, replace(decision, temperature=1.0))


def version(
    recipe: Recipe, data: Data, base: AlexNet, decision: Decision, start: StartingWeights, report: Report
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and manifest of the model that ships: fine-tuned on all that may be trained on, judged on phantoms."""
    seen = data.real.pictures.part(data.real.trainable)
    model = _cut(_finetuned(recipe, data, base, seen, partial(report, "all")), recipe)
    logits = logits_of(model, data.held_out, Preprocessing())
    parts = [("phantoms", data.phantoms, 1 - recipe.real), ("real", seen, recipe.real)]
    return tensors_of(model), {
        "classes": list(data.classes),
        "architecture": model.architecture.to_json(),
        "preprocessing": Preprocessing().to_json(),
        "decision": asdict(decision),
        "starting_weights": start.source,
        "pretraining": asdict(recipe.pretraining),
        "training": asdict(recipe.finetuning),
        "data": [
            {"name": name, "count": len(pictures), "share": share, "sha256": pictures.digest()}
            for name, pictures, share in parts
        ],
        "holdout": {"count": len(data.held_out), "sha256": data.held_out.digest()},
        "metrics": asdict(score(logits, data.held_out.labels, data.classes, decision)),
    }


def _finetuned(
    recipe: Recipe, data: Data, base: AlexNet, seen: Pictures, report: Callable[[Progress], None]
) -> AlexNet:
    sources = [Source("phantoms", data.phantoms, 1 - recipe.real), Source("real", seen, recipe.real)]
    return train(copy.deepcopy(base), sources, Preprocessing(), recipe.finetuning, report)


def _cut(model: AlexNet, recipe: Recipe) -> AlexNet:
    return finished(model, recipe.finetuning)


def _decision(recipe: Recipe, logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Decision:
    return replace(calibrated(logits, labels, coldest=0.5), threshold=recipe.threshold)


def figures_of(model: AlexNet, pictures: Pictures, classes: Sequence[str]) -> Evaluation:
    """Of a model that is judged as it is, such as one that saw phantoms alone."""
    return score(logits_of(model, pictures, Preprocessing()), pictures.labels, classes, Decision())
