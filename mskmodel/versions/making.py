"""From a trained model to a version that can be served, and back: cut, calibrated, judged, described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from mskmodel.data.dataset import Pictures
from mskmodel.judging.evaluation import score
from mskmodel.network.alexnet import AlexNet, expanded, factorised, mirrored_logits, with_outputs
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Settings, Source

__all__ = [
    "calibrated",
    "calibrated_with_none",
    "finished",
    "logits_of",
    "model_of_version",
    "tensors_of",
    "version_of",
]


def logits_of(model: AlexNet, pictures: Pictures, preprocessing: Preprocessing, batch: int = 32) -> NDArray[np.float32]:
    """Without augmentation, as a classifier answers: (n, classes + 1)."""
    rows = []
    for first in range(0, len(pictures), batch):
        part = slice(first, first + batch)
        images = preprocessing.inputs(pictures.values[part], pictures.extents[part])
        rows.append(mirrored_logits(model, torch.from_numpy(images)).numpy())
    return np.concatenate(rows)


def calibrated(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    wanted: float = 0.98,
    base: Decision = Decision(),  # noqa: B008 - it is frozen
) -> Decision:
    """Temperature of least negative log likelihood (Guo et al. 2017), and the least threshold that is right enough.

    Right enough: of the held-out pictures that get a label, at least ``wanted`` get the right one; at most 0.9.
    Temperature and threshold are at least those of ``base``: what is held out looks more like what was trained on than
    a patient does, so it may make the model less sure of itself, never surer. None of the classes stays as in ``base``.
    """
    rows = np.arange(len(labels))

    def likelihood(decision: Decision) -> float:
        return float(np.log(decision.probabilities(logits)[rows, labels] + 1e-12).mean())

    temperatures = np.geomspace(base.temperature, 8.0, 101).tolist()
    likeliest = max((replace(base, temperature=temperature) for temperature in temperatures), key=likelihood)
    probabilities = likeliest.probabilities(logits)
    best = probabilities[:, :-1].argmax(axis=1)
    confidence = probabilities[rows, best]
    for threshold in np.arange(base.threshold, 0.9, 0.01):
        answered = (confidence >= threshold) & (confidence > probabilities[:, -1])
        if answered.any() and (best == labels)[answered].mean() >= wanted:
            return replace(likeliest, threshold=round(float(threshold), 2))
    return replace(likeliest, threshold=max(0.9, base.threshold))


def calibrated_with_none(logits: NDArray[np.float32], labels: NDArray[np.int64], threshold: float) -> Decision:
    """Where none of the classes is in what is held out as it will be met: calibrated apart from the classes.

    Temperature, 0.5 to 8, from the pictures of the classes, among the classes; then slope and shift of the log odds of
    none of them, by logistic regression on targets a little short of 0 and 1 (Platt 1999), which keep both finite. Some
    of ``labels`` must be of the classes; if all are, none of them stays as it was trained.
    """
    ours = labels < logits.shape[1] - 1
    classes = np.asarray(logits[ours, :-1], np.float64)
    true = classes[np.arange(len(classes)), labels[ours]]

    def class_nll(temperature: float) -> float:
        return float((np.logaddexp.reduce(classes / temperature, axis=1) - true / temperature).mean())

    temperature = min(np.geomspace(0.5, 8.0, 281).tolist(), key=class_nll)
    if ours.all():
        return Decision(temperature, threshold)
    scaled = Decision(temperature).scaled(logits)
    odds = scaled[:, -1] - np.logaddexp.reduce(scaled[:, :-1], axis=1)
    targets = np.where(ours, 1 / (ours.sum() + 2), 1 - 1 / ((~ours).sum() + 2))

    def none_nll(line: NDArray[np.float64]) -> float:
        answer = line[0] * odds + line[1]
        return float((np.logaddexp(0, answer) - targets * answer).mean())

    slope, shift = minimize(none_nll, [1.0, 0.0]).x
    return Decision(temperature, threshold, none_slope=float(slope), none_shift=float(shift))


def tensors_of(model: AlexNet) -> dict[str, Tensor]:
    """What is kept of a model: half precision is a thousand times finer than the noise of training."""
    return {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}


def finished(model: AlexNet, settings: Settings) -> AlexNet:
    """The model as it is kept: hidden layers cut to their ranks."""
    return factorised(model, settings.ranks) if any(settings.ranks) else model


def version_of(
    model: AlexNet,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    settings: Settings,
    sources: Sequence[Source],
    held_out: Pictures,
    origin: str,
    decide: Callable[[NDArray[np.float32], NDArray[np.int64]], Decision] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and manifest of a finished model, judged on the hold-out.

    ``decide``: makes the decision of the hold-out's logits and labels, in place of ``calibrated``.
    """
    logits = logits_of(model, held_out, preprocessing)
    decision = (decide or calibrated)(logits, held_out.labels)
    figures = asdict(score(logits, held_out.labels, classes, decision))
    data = [
        {"name": one.name, "count": len(one.pictures), "share": one.share, "sha256": one.pictures.digest()}
        for one in sources
    ]
    manifest = {
        "classes": list(classes),
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


def model_of_version(directory: Path, classes: Sequence[str]) -> AlexNet:
    """A kept version, to be trained further; where it has other classes, the last layer starts fresh.

    Thin pairs of layers are multiplied out again. Raises RegistryError.
    """
    kept = Classifier.load(directory, "cpu")
    model = expanded(kept.model)
    if kept.classes != tuple(classes):
        model = with_outputs(model, len(classes) + 1)
    return model
