"""From a trained model to a version that can be served, and back: cut, calibrated, judged, described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.data.dataset import Pictures
from mskmodel.judging.evaluation import score
from mskmodel.network.alexnet import AlexNet, expanded, factorised, with_outputs
from mskmodel.network.outputs import collapsed
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import others_beside
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Diverged, Source, TrainingSettings
from mskmodel.versions.calibration import calibrated

__all__ = [
    "finished",
    "logits_of",
    "model_of_version",
    "outputs_of",
    "tensors_of",
    "version_of",
]


#: Pictures in one pass of the network.
_BATCH = 32


def logits_of(model: AlexNet, pictures: Pictures, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Logits without augmentation, as a classifier answers, (n, classes + 1)."""
    return collapsed(outputs_of(model, pictures, preprocessing), model.architecture.classes)


def outputs_of(model: AlexNet, pictures: Pictures, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Logits of all outputs without augmentation, (n, classes + others + 1)."""
    rows = []
    for first in range(0, len(pictures), _BATCH):
        part = slice(first, first + _BATCH)
        images = preprocessing.inputs(pictures.values[part], pictures.extents[part])
        rows.append(model.logits(torch.from_numpy(images)).numpy())
    return np.concatenate(rows)


def tensors_of(model: AlexNet) -> dict[str, Tensor]:
    """The tensors to keep of a model, in half precision: it is a thousand times finer than the noise of training."""
    return {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}


def finished(model: AlexNet, settings: TrainingSettings) -> AlexNet:
    """The model as it is kept: hidden layers cut to their ranks."""
    return factorised(model, settings.ranks) if any(settings.ranks) else model


def version_of(
    model: AlexNet,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    settings: TrainingSettings,
    sources: Sequence[Source],
    held_out: Pictures,
    origin: str,
    decide: Callable[[NDArray[np.float32], NDArray[np.int64]], Decision] | None = None,
    others: Sequence[str] = (),
    logits: NDArray[np.float32] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and manifest of a finished model, judged on the hold-out.

    ``decide``: makes the decision from the hold-out's logits and labels, in place of ``calibrated``. ``others``: the
    kinds of none of the classes that the model tells apart. ``logits``: for the hold-out, by models that have not
    learned from it where this one has. Raises Diverged for a model whose answers are no numbers.
    """
    logits = logits_of(model, held_out, preprocessing) if logits is None else logits
    if not np.isfinite(logits).all():
        raise Diverged(settings.epochs, settings.rate)
    decision = (decide or calibrated)(logits, held_out.labels)
    figures = asdict(score(logits, held_out.labels, classes, decision))
    data = [
        {"name": one.name, "count": len(one.pictures), "share": one.share, "sha256": one.pictures.digest()}
        for one in sources
    ]
    manifest = {
        "classes": list(classes),
        "others": list(others),
        "architecture": model.architecture.to_json(),
        "preprocessing": preprocessing.to_json(),
        "decision": asdict(decision),
        "starting_weights": origin,
        "training": asdict(settings),
        "data": data,
        "holdout": {"count": len(held_out), "sha256": held_out.digest()},
        "metrics": figures,
    }
    return tensors_of(model), manifest


def model_of_version(directory: Path, classes: Sequence[str], others: Sequence[str] | None = None) -> AlexNet:
    """The model of a version, to be trained further; for other classes its last layer starts fresh.

    ``others``: the kinds of none of the classes that it is to tell apart; None: the version's, without those that
    become classes. Where there are any, what the version knows of each key is kept, and only new keys start fresh. Thin
    pairs of layers are multiplied out again. Raises RegistryError.
    """
    kept = Classifier.load(directory, "cpu")
    model = expanded(kept.model)
    others = others_beside(directory, classes) if others is None else others
    before: list[str | None] = [*kept.classes, *kept.others, None]
    now: list[str | None] = [*classes, *others, None]
    if (kept.classes, kept.others) == (tuple(classes), tuple(others)):
        return model
    known = {place: before.index(key) for place, key in enumerate(now) if key in before}
    return with_outputs(model, len(now), len(others), known if kept.others or others else {})
