"""Calibration: a decision fitted to the hold-out. Platt scaling is fitted by `calibrated_with_none` alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mskmodel.registry.decision import Decision

__all__ = ["calibrated", "calibrated_with_none"]


#: Share of the labels given in the hold-out that the threshold of `calibrated` makes right.
_PRECISE_ENOUGH = 0.98


def calibrated(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    base: Decision = Decision(),  # noqa: B008 - it is frozen
) -> Decision:
    """Fit the temperature (Guo et al. 2017), then the lowest threshold at which 98 % of the labels given are right.

    The temperature has the least negative log likelihood on the held-out pictures. The threshold is at most 0.9.
    Temperature and threshold are at least those of ``base``: a hold-out looks more like the training data than new
    patients do, so it may make the model less sure of itself, never surer. Slope and shift stay as in ``base``.
    """
    rows, labels = np.arange(len(labels)), np.minimum(labels, logits.shape[1] - 1)

    def likelihood(decision: Decision) -> float:
        return float(np.log(decision.probabilities(logits)[rows, labels] + 1e-12).mean())

    temperatures = np.geomspace(base.temperature, 8.0, 101).tolist()
    likeliest = max((replace(base, temperature=temperature) for temperature in temperatures), key=likelihood)
    probabilities = likeliest.probabilities(logits)
    best = probabilities[:, :-1].argmax(axis=1)
    for threshold in np.arange(base.threshold, 0.9, 0.01):
        answered = replace(likeliest, threshold=threshold).gives_label(probabilities)
        if answered.any() and (best == labels)[answered].mean() >= _PRECISE_ENOUGH:
            return replace(likeliest, threshold=round(float(threshold), 2))
    return replace(likeliest, threshold=max(0.9, base.threshold))


def calibrated_with_none(logits: NDArray[np.float32], labels: NDArray[np.int64], threshold: float) -> Decision:
    """Fit the temperature on the classes, and apart from it Platt scaling of the output "none of the classes".

    The hold-out must show pictures of none of the classes as often, and of the kinds, that practice does.

    The temperature, 0.5 to 8, is fitted to the pictures of the classes, among the classes. Slope and shift of the log
    odds of none of them are fitted next, by logistic regression on targets a little short of 0 and 1 (Platt 1999),
    which keep both finite. Some of ``labels`` must be of the classes; if all are, slope and shift have no effect.
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
