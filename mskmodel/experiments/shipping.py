"""How the shipped model is made: trained on phantoms, fine-tuned on phantoms and real radiographs, judged by folds.

In this order: the recipe, its steps. A fold's radiographs are judged by a model that saw none of their patients. The
temperature and threshold of the shipped model come from these answers, never from the training itself. The results of
long steps are kept in a folder and used again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.data.crops import Crops
from mskmodel.data.dataset import Pictures
from mskmodel.judging.evaluation import Evaluation, score
from mskmodel.network.alexnet import AlexNet
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.weights import StartingWeights
from mskmodel.registry.decision import Decision
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.checkpoint import Checkpoint
from mskmodel.training.loop import Epoch, Progress, Source, TrainingSettings, new_model, train
from mskmodel.versions.calibration import calibrated_with_none
from mskmodel.versions.conversion import finished, logits_of, version_of

__all__ = [
    "Data",
    "Real",
    "Recipe",
    "by_folds",
    "calibrated_by_folds",
    "figures_of",
    "folds_of",
    "key",
    "pretrained",
    "version",
]

#: Called with the name of a step and its progress.
Report = Callable[[str, Progress], None]

_BOTH = TrainingSettings(views=6000, convolution_rate=1.0, label_smoothing=0.0, dropout=0.3)
# Real radiographs are turned and inverted less often than by default, and in fine-tuning less often than phantoms.
_PRETRAINING = replace(_BOTH, epochs=24, augmentation=Augmentation(quarter_turn=0.1, invert=0.15))
_FINETUNING = replace(
    _BOTH, epochs=1, rate=0.008, none_weight=4.0, augmentation=Augmentation(quarter_turn=0.05, invert=0.1)
)


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen; each value was kept for the figures by fold, or for those after phantoms alone."""

    phantoms: int = 9000
    pretraining: TrainingSettings = _PRETRAINING
    finetuning: TrainingSettings = _FINETUNING
    runs: int = 2  # of fine-tuning, each with its own seed; the mean of their weights is kept
    kept: float = 0.25  # share of the pretrained weights in the shipped ones; the rest is fine-tuned
    real: float = 0.5  # share of real radiographs in the draws of fine-tuning
    folds: int = 5
    threshold: float = 0.5  # of calibrated confidence; by fold, 52 of 53 labels of images of the classes were right

    def with_looks(self, looks: int) -> Recipe:
        """The same recipe for a model that takes 1 or 2 looks."""
        pretraining, finetuning = (replace(settings, looks=looks) for settings in (self.pretraining, self.finetuning))
        return replace(self, pretraining=pretraining, finetuning=finetuning)


@dataclass(frozen=True, eq=False)
class Real:
    """Real radiographs. ``patients``: (n,) int64. ``trainable``: (n,) bool; the others are judged only.

    ``crops``: cut from them; a crop is trained on where its radiograph is, and never judged.
    """

    pictures: Pictures
    patients: NDArray[np.int64]
    trainable: NDArray[np.bool_]
    crops: Crops

    def to_train_on(self, seen: NDArray[np.bool_]) -> Pictures:
        """The trainable ones of the radiographs ``seen``, (n,) bool, and then their crops."""
        chosen = seen & self.trainable
        return Pictures.joined([self.pictures.part(chosen), self.crops.pictures.part(chosen[self.crops.parents])])


@dataclass(frozen=True, eq=False)
class Data:
    """What the model is trained and judged on. ``held_out``: phantoms of other patients than ``phantoms``."""

    classes: tuple[str, ...]
    phantoms: Pictures
    held_out: Pictures
    real: Real


def key(recipe: Recipe, data: Data, start: StartingWeights) -> str:
    """Name for the results of the steps: it changes with recipe, data and starting weights, not with the threshold."""
    inputs = [asdict(replace(recipe, threshold=0.0)), start.digest(), data.classes]
    digest = hashlib.sha256(json.dumps(inputs).encode())
    real = data.real
    for pictures in (data.phantoms, real.pictures, real.crops.pictures):
        digest.update(pictures.digest().encode())
    digest.update(real.patients.tobytes() + real.trainable.tobytes() + real.crops.parents.tobytes())
    return digest.hexdigest()[:16]


def pretrained(recipe: Recipe, data: Data, start: StartingWeights, folder: Path, report: Report) -> AlexNet:
    """The model after phantoms alone; training resumes after the last epoch that is kept in ``folder``."""
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
    """Fold of each radiograph, (n,) int64: each patient is in one, each class spread as evenly as that allows."""
    names, sizes = np.unique(patients, return_counts=True)
    classes = int(labels.max()) + 1
    held, folds = np.zeros((count, classes)), np.zeros(len(patients), np.int64)
    # Patients with many radiographs first; those with few even out the folds.
    for name in names[np.argsort(-sizes, kind="stable")]:
        own = patients == name
        shown = np.bincount(labels[own], minlength=classes)
        fold = int(np.argmin(held @ shown + 0.01 * held.sum(axis=1)))
        held[fold] += shown
        folds[own] = fold
    return folds


def by_folds(recipe: Recipe, data: Data, base: AlexNet, folder: Path, report: Report) -> NDArray[np.float32]:
    """Logits of the real radiographs, (n, classes + 1), each by its fold's model, which saw none of its patients."""
    real = data.real
    folds = folds_of(real.patients, real.pictures.labels, recipe.folds)
    logits = np.zeros((len(folds), len(data.classes) + 1), np.float32)
    for fold in range(recipe.folds):
        kept, unseen = folder / f"fold-{fold + 1}.npy", folds == fold
        if not kept.is_file():
            told = partial(report, f"fold {fold + 1} of {recipe.folds}")
            model = _finetuned(recipe, base, _sources(recipe, data, ~unseen), told)
            np.save(kept, logits_of(model, real.pictures.part(unseen), Preprocessing()))
        logits[unseen] = np.load(kept)
    return logits


def calibrated_by_folds(recipe: Recipe, data: Data, logits: NDArray[np.float32]) -> tuple[Decision, Evaluation]:
    """The decision calibrated on all folds, and figures for which each fold is calibrated on the others."""
    real = data.real
    folds = folds_of(real.patients, real.pictures.labels, recipe.folds)
    scaled = np.zeros_like(logits)
    for fold in range(recipe.folds):
        others = folds != fold
        chosen = calibrated_with_none(logits[others], real.pictures.labels[others], recipe.threshold)
        scaled[~others] = chosen.scaled(logits[~others])
    decision = calibrated_with_none(logits, real.pictures.labels, recipe.threshold)
    return decision, score(scaled, real.pictures.labels, data.classes, Decision(threshold=decision.threshold))


def version(
    recipe: Recipe, data: Data, base: AlexNet, decision: Decision, start: StartingWeights, report: Report
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and manifest of the model that ships: fine-tuned on all trainable radiographs, judged on phantoms."""
    sources = _sources(recipe, data, np.ones_like(data.real.trainable))
    model = _finetuned(recipe, base, sources, partial(report, "all"))
    described = (data.classes, Preprocessing(), recipe.finetuning, sources, data.held_out, start.source)
    tensors, manifest = version_of(model, *described, decide=lambda *_: decision)
    return tensors, manifest | {"recipe": asdict(recipe)}


def figures_of(model: AlexNet, pictures: Pictures, classes: Sequence[str]) -> Evaluation:
    """Figures of a model without calibration, such as the one after phantoms alone."""
    return score(logits_of(model, pictures, Preprocessing()), pictures.labels, classes, Decision())


def _sources(recipe: Recipe, data: Data, seen: NDArray[np.bool_]) -> list[Source]:
    real = data.real.to_train_on(seen)
    return [Source("phantoms", data.phantoms, 1 - recipe.real), Source("real", real, recipe.real, partial=True)]


def _finetuned(recipe: Recipe, base: AlexNet, sources: Sequence[Source], report: Callable[[Progress], None]) -> AlexNet:
    """Fine-tune ``base`` in several runs; return the mean of their weights and, by a share, of those of ``base``.

    Runs from the same weights end so close to each other that the mean of their weights is a model too. It does better
    on unseen data (Wortsman et al. 2022, "Model soups"), and so does the mean with the weights that the runs began with
    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    runs = []
    for number in range(recipe.runs):
        settings = replace(recipe.finetuning, seed=recipe.finetuning.seed + number)
        runs.append(train(copy.deepcopy(base), sources, Preprocessing(), settings, report).state_dict())
    model = copy.deepcopy(base)
    tuned = {name: torch.stack([run[name] for run in runs]).mean(0) for name in runs[0]}
    model.load_state_dict({name: torch.lerp(tuned[name], old, recipe.kept) for name, old in base.state_dict().items()})
    return finished(model.eval(), recipe.finetuning)
