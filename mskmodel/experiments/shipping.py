"""How the shipped model is made: trained on phantoms, fine-tuned on phantoms and real radiographs, judged by folds.

In this order: the recipe, its steps. A fold's radiographs are judged by a model that saw none of their patients. From
these answers, never from the training itself, come the temperature and threshold of the shipped model, and which kinds
of none of the study's classes become classes too. The results of long steps are kept in a folder and used again.
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
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.data.crops import Crops
from mskmodel.data.dataset import Pictures
from mskmodel.data.folds import folds_of
from mskmodel.judging.evaluation import Evaluation, score
from mskmodel.labels import SEVERAL_VIEWS
from mskmodel.network.alexnet import AlexNet, with_outputs
from mskmodel.network.outputs import collapsed
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.weights import StartingWeights
from mskmodel.registry.decision import Decision
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.averaging import averaged
from mskmodel.training.checkpoint import Checkpoint
from mskmodel.training.loop import Epoch, Progress, Source, TrainingSettings, new_model, train
from mskmodel.versions.calibration import calibrated_with_none
from mskmodel.versions.conversion import finished, logits_of, outputs_of, version_of

__all__ = [
    "Data",
    "Judged",
    "Naming",
    "Real",
    "Recipe",
    "by_folds",
    "figures_of",
    "judged_by_folds",
    "key",
    "pretrained",
    "version",
]

#: Called with the name of a step and its progress.
Report = Callable[[str, Progress], None]

_BOTH = TrainingSettings(views=6000, convolution_rate=1.0, label_smoothing=0.0, dropout=0.3, looks=1)
# Real radiographs are turned and inverted less often than by default, and in fine-tuning less often than phantoms.
_PRETRAINING = replace(_BOTH, epochs=8, none_weight=8.0, augmentation=Augmentation(quarter_turn=0.1, invert=0.15))
_FINETUNING = replace(
    _BOTH, epochs=4, rate=0.008, none_weight=8.0, augmentation=Augmentation(quarter_turn=0.05, invert=0.1)
)


@dataclass(frozen=True)
class Naming:
    """When a kind of none of the study's classes becomes a class: real radiographs vouch for it, phantoms do not."""

    radiographs: int = 5  # that show it and are judged by folds
    right: float = 0.85  # least share of the labels of that name given by folds that are right
    never: tuple[str, ...] = (SEVERAL_VIEWS, "ankle_foot")  # films with more on them than one view of one joint


@dataclass(frozen=True)
class Recipe:
    """Everything that was chosen; each value was kept for the figures by fold, or for those after phantoms alone."""

    phantoms: int = 9000  # of one view each
    plates: int = 450  # phantoms with several views of a joint on one film
    pretraining: TrainingSettings = _PRETRAINING
    finetuning: TrainingSettings = _FINETUNING
    runs: int = 1  # of fine-tuning, each with its own seed; the mean of their weights is kept
    kept: float = 0.25  # share of the pretrained weights in the shipped ones; the rest is fine-tuned
    real: float = 0.6  # share of real radiographs in the draws of fine-tuning
    folds: int = 5
    threshold: float = 0.6  # of calibrated confidence; of none of the classes, one in eight is labelled by folds
    naming: Naming = Naming()

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
    """What the model is trained and judged on.

    ``classes``: the study's. ``others``: kinds of none of them that the network tells apart. Pictures are labelled with
    the numbers of both, in this order; the number after them is none of known kind. ``held_out``: phantoms of other
    patients than ``phantoms``.
    """

    classes: tuple[str, ...]
    others: tuple[str, ...]
    phantoms: Pictures
    held_out: Pictures
    real: Real


@dataclass(frozen=True, eq=False)
class Judged:
    """What the folds say of the model to be shipped.

    ``named``: the kinds that become classes. ``decision``: calibrated on all folds, for the study's classes and these.
    ``study``: figures of the study's classes, for which each fold is calibrated on the others; every other label counts
    as none. ``every``: the same for all classes.
    """

    named: tuple[str, ...]
    decision: Decision
    study: Evaluation
    every: Evaluation


def key(recipe: Recipe, data: Data, start: StartingWeights) -> str:
    """Name for the results of the steps: it changes with what training sees, not with how the answers are judged."""
    inputs = [asdict(replace(recipe, threshold=0.0, naming=Naming())), start.digest(), data.classes, data.others]
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
    model = new_model(data.classes, settings, start.tensors, data.others)
    resume = Checkpoint.load(kept) if kept.is_file() else None

    def keep(epoch: Epoch) -> None:
        epoch.checkpoint().save(kept)

    told = partial(report, "phantoms")
    sources = [Source("phantoms", data.phantoms, 1.0)]
    return train(model, sources, Preprocessing(), settings, told, None, keep, resume)


def by_folds(recipe: Recipe, data: Data, base: AlexNet, folder: Path, report: Report) -> NDArray[np.float32]:
    """Logits of all outputs for the real radiographs, (n, classes + others + 1).

    Each is by its fold's model, which saw none of its patients.
    """
    real = data.real
    folds = folds_of(real.patients, real.pictures.labels, recipe.folds)
    outputs = np.zeros((len(folds), base.architecture.outputs), np.float32)
    for fold in range(recipe.folds):
        kept, unseen = folder / f"fold-{fold + 1}.npy", folds == fold
        if not kept.is_file():
            told = partial(report, f"fold {fold + 1} of {recipe.folds}")
            model = _finetuned(recipe, base, _sources(recipe, data, ~unseen), told)
            np.save(kept, outputs_of(model, real.pictures.part(unseen), Preprocessing()))
        outputs[unseen] = np.load(kept)
    return outputs


def judged_by_folds(recipe: Recipe, data: Data, outputs: NDArray[np.float32]) -> Judged:
    """Name what real radiographs vouch for, calibrate, and judge, from the outputs `by_folds`.

    All kinds that enough real radiographs show are tried as classes. While labels of any of them are right too seldom,
    the worst of them is left out.
    """
    labels, none = data.real.pictures.labels, len(data.classes)
    shown = dict(zip(data.others, np.bincount(labels, minlength=outputs.shape[1])[none:-1].tolist(), strict=True))
    vouched = [key for key, count in shown.items() if count >= recipe.naming.radiographs]
    named = [key for key in vouched if key not in recipe.naming.never]
    while True:
        judged, precisions = _judged(recipe, data, outputs, named)
        worst = min(named, key=lambda key: precisions[key], default=None)
        if worst is None or precisions[worst] >= recipe.naming.right:
            return judged
        named.remove(worst)


def _judged(
    recipe: Recipe, data: Data, outputs: NDArray[np.float32], named: Sequence[str]
) -> tuple[Judged, dict[str, float]]:
    """The judgement with these kinds as classes, and the share of the labels of each that are right; 0 without any."""
    folds = folds_of(data.real.patients, data.real.pictures.labels, recipe.folds)
    order, classes = _order(data, named), (*data.classes, *named)
    logits = collapsed(outputs[:, order], len(classes))
    labels = np.minimum(np.argsort(order)[data.real.pictures.labels], len(classes))
    scaled = np.zeros_like(logits)
    for fold in range(recipe.folds):
        others = folds != fold
        decision = calibrated_with_none(logits[others], labels[others], recipe.threshold)
        scaled[~others] = decision.scaled(logits[~others])
    plain = Decision(threshold=recipe.threshold)
    every = score(scaled, labels, classes, plain)
    study = score(collapsed(scaled, len(data.classes)), labels, data.classes, plain)
    decision = calibrated_with_none(logits, labels, recipe.threshold)
    return Judged(tuple(named), decision, study, every), {one.label: one.precision or 0.0 for one in every.classes}


def version(
    recipe: Recipe, data: Data, base: AlexNet, judged: Judged, start: StartingWeights, report: Report
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and manifest of the model that ships: fine-tuned on all trainable radiographs, judged on phantoms."""
    sources = _sources(recipe, data, np.ones_like(data.real.trainable))
    model = _finetuned(recipe, base, sources, partial(report, "all"))
    order = _order(data, judged.named)
    others = tuple(key for key in data.others if key not in judged.named)
    named = with_outputs(model, len(order), len(others), dict(enumerate(order.tolist())))
    held_out = replace(data.held_out, labels=np.argsort(order)[data.held_out.labels])
    described = ((*data.classes, *judged.named), Preprocessing(), recipe.finetuning, sources, held_out, start.source)
    tensors, manifest = version_of(named, *described, decide=lambda *_: judged.decision, others=others)
    return tensors, manifest | {"recipe": asdict(recipe)}


def figures_of(model: AlexNet, pictures: Pictures, classes: Sequence[str]) -> Evaluation:
    """Figures of a model without calibration, such as the one after phantoms alone."""
    return score(logits_of(model, pictures, Preprocessing()), pictures.labels, classes, Decision())


def _order(data: Data, named: Sequence[str]) -> NDArray[np.int64]:
    """Which output of the trained network comes where once some of its other kinds are classes, (outputs,)."""
    keys = (*data.classes, *data.others)
    rest = [key for key in data.others if key not in named]
    return np.array([*(keys.index(key) for key in (*data.classes, *named, *rest)), len(keys)], np.int64)


def _sources(recipe: Recipe, data: Data, seen: NDArray[np.bool_]) -> list[Source]:
    real = data.real.to_train_on(seen)
    return [Source("phantoms", data.phantoms, 1 - recipe.real), Source("real", real, recipe.real, partial=True)]


def _finetuned(recipe: Recipe, base: AlexNet, sources: Sequence[Source], report: Callable[[Progress], None]) -> AlexNet:
    """Fine-tune ``base`` in several runs; return the mean of their weights and, by a share, of those of ``base``."""
    runs = []
    for number in range(recipe.runs):
        settings = replace(recipe.finetuning, seed=recipe.finetuning.seed + number)
        runs.append(train(copy.deepcopy(base), sources, Preprocessing(), settings, report).state_dict())
    return finished(averaged(base, runs, recipe.kept), recipe.finetuning)
