"""The operating point of a new version at a site: it labels as little of none of the classes as the version before.

Corrections are few, and those that were suggested are harder than the archive. So what a version does at the site is
estimated on a sample of the archive that nobody has looked at. What these images show is estimated by the new version.
How far its word counts is fitted to corrections that it has not learned from, and with it that of the version before
(stacking, Wolpert 1992): the log odds of none of the classes are a weighted sum of those of both, and the intercept
takes up how often the site stores none of the classes. As suggestions follow from what the version before says, a fit
that is conditional on it holds for images that were not suggested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mskmodel.registry.decision import Decision

__all__ = ["Answered", "OperatingPoint", "Rates", "brought_to", "calibrated_for"]

#: Standard deviations of the normal priors: of an intercept in log odds, of a weight or slope, of the log of a
#: temperature. They are wide: a few dozen corrections outweigh them.
_INTERCEPT, _SLOPE, _TEMPERATURE = 1.0, 0.5, 0.3
#: Logit of an answer that is never given.
_NEVER = -100.0
#: Thresholds to choose from: a label must be more likely right than wrong.
_LOWEST, _HIGHEST, _STEP = 0.5, 0.99, 0.005


@dataclass(frozen=True)
class Rates:
    """An operating point as people state it.

    ``none_labelled``: share of the images of none of the classes that get a label. ``labels_right``: share of the
    labels given that are right. Both 0..1.
    """

    none_labelled: float
    labels_right: float


#: Where the version before gives no label at all, and so sets no example.
_USUAL = Rates(0.1, 0.9)


@dataclass(frozen=True, eq=False)
class Answered:
    """Images of a site with the logits of the version before and of the new one, (n, classes + 1) each.

    Neither has learned from any of them. ``before``: already scaled, and brought to the new version's classes (see
    `brought_to`); ``threshold``: of that version. ``labels``: (n,) int64, the true class, the number of classes = none
    of them, -1 where nobody has said it. ``weights``: (n,) float64, how much each counts for the rates.
    """

    before: NDArray[np.float32]
    threshold: float
    new: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which images have a true class that somebody has said, (n,)."""
        return self.labels >= 0


@dataclass(frozen=True)
class OperatingPoint:
    """How a version decides. ``wanted``: the rates that this was made for; ``achieved``: those it has, estimated."""

    decision: Decision
    wanted: Rates
    achieved: Rates

    def to_json(self) -> dict[str, Any]:
        """For a manifest, beside the decision."""
        return {"wanted": asdict(self.wanted), "achieved": asdict(self.achieved)}


def brought_to(
    classes: Sequence[str], logits: NDArray[np.float32], own: Sequence[str], decision: Decision
) -> NDArray[np.float32]:
    """Scaled logits of a version with the classes ``own``, (n, len(own) + 1), as (n, len(classes) + 1).

    What is not among ``classes`` is none of them; a class that the version does not know is never its answer.
    """
    scaled = decision.scaled(logits)
    found = np.full((len(scaled), len(classes) + 1), _NEVER)
    for place, key in enumerate(classes):
        if key in own:
            found[:, place] = scaled[:, own.index(key)]
    others = [number for number, key in enumerate(own) if key not in classes]
    found[:, -1] = np.logaddexp.reduce(scaled[:, [*others, len(own)]], axis=1)
    return found.astype(np.float32)


def calibrated_for(
    answered: Answered, start: Decision, none_labelled: float | None = None, labels_right: float | None = None
) -> OperatingPoint:
    """The new version's decision. It departs from ``start`` as far as the images say.

    ``none_labelled``: at most; ``labels_right``: at least; None for what the version before achieves on these images.
    """
    decision = _with_temperature(answered, start)
    truth = _truth(answered, start, decision)
    before = _rates(answered.before, Decision(threshold=answered.threshold), truth, answered.weights)
    if before == Rates(0.0, 0.0):
        before = _USUAL
    wanted = Rates(
        before.none_labelled if none_labelled is None else none_labelled,
        before.labels_right if labels_right is None else labels_right,
    )
    decision = _platt(answered, decision, truth[:, -1])
    thresholds = [round(each, 3) for each in np.arange(_LOWEST, _HIGHEST, _STEP).tolist()]
    decisions = [replace(decision, threshold=threshold) for threshold in thresholds]
    rates = [_rates(answered.new, one, truth, answered.weights) for one in decisions]
    kept = [one.none_labelled <= wanted.none_labelled and one.labels_right >= wanted.labels_right for one in rates]
    # The lowest threshold that will do; where none does, the one of the fewest wrong labels.
    chosen = kept.index(True) if any(kept) else int(np.argmax([one.labels_right for one in rates]))
    return OperatingPoint(decisions[chosen], wanted, rates[chosen])


def _rates(
    logits: NDArray[np.float32], decision: Decision, truth: NDArray[np.float64], weights: NDArray[np.float64]
) -> Rates:
    """Rates of a version with these logits, where ``truth``, (n, classes + 1), are probabilities of what is shown."""
    probabilities = decision.probabilities(logits)
    labelled = decision.gives_label(probabilities) * weights
    right = truth[np.arange(len(truth)), probabilities[:, :-1].argmax(axis=1)]
    none, given = float(weights @ truth[:, -1]), float(labelled.sum())
    return Rates(
        float(labelled @ truth[:, -1]) / none if none else 0.0, float(labelled @ right) / given if given else 0.0
    )


def _none_odds(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds of none of the classes against all of them, (n,)."""
    return np.asarray(scaled[:, -1] - np.logaddexp.reduce(scaled[:, :-1], axis=1))


def _likelihoods(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log probabilities among the classes, (n, classes)."""
    return np.asarray(scaled[:, :-1] - np.logaddexp.reduce(scaled[:, :-1], axis=1)[:, None])


def _with_temperature(answered: Answered, start: Decision) -> Decision:
    """The decision with the temperature that suits the corrections of the classes."""
    ours = answered.known & (answered.labels < answered.new.shape[1] - 1)
    logits, labels = answered.new[ours], answered.labels[ours]

    def loss(change: NDArray[np.float64]) -> float:
        likelihoods = _likelihoods(Decision(start.temperature * float(np.exp(change[0]))).scaled(logits))
        return float(-likelihoods[np.arange(len(labels)), labels].sum() + (change[0] / _TEMPERATURE) ** 2 / 2)

    return replace(start, temperature=start.temperature * float(np.exp(minimize(loss, [0.0]).x[0])))


def _truth(answered: Answered, start: Decision, decision: Decision) -> NDArray[np.float64]:
    """Probabilities of what each image shows, (n, classes + 1); 0 and 1 where somebody has said it."""
    known, none = answered.known, answered.new.shape[1] - 1
    odds = _none_odds(answered.before.astype(np.float64)), _none_odds(start.scaled(answered.new))
    inputs = np.column_stack([np.ones(len(known)), *odds])
    is_none = (answered.labels[known] == none).astype(np.float64)
    prior = np.array([0.0, 0.0, 1.0]), np.array([_INTERCEPT, _SLOPE, _SLOPE])
    share = 1 / (1 + np.exp(-inputs @ _logistic(inputs[known], is_none, np.ones(len(is_none)), *prior)))
    classes = np.exp(_likelihoods(decision.scaled(answered.new)))
    truth = np.column_stack([classes * (1 - share)[:, None], share])
    truth[known] = np.eye(none + 1)[answered.labels[known]]
    return truth


def _platt(answered: Answered, decision: Decision, none: NDArray[np.float64]) -> Decision:
    """Slope and shift of none of the classes (Platt 1999), fitted to the probabilities ``none`` of all images, (n,)."""
    plain = replace(decision, none_slope=1.0, none_shift=0.0)
    inputs = np.column_stack([np.ones(len(none)), _none_odds(plain.scaled(answered.new))])
    weights = answered.weights * len(none) / answered.weights.sum()
    prior = np.array([decision.none_shift, decision.none_slope]), np.array([_INTERCEPT, _SLOPE])
    shift, slope = _logistic(inputs, none, weights, *prior)
    return replace(decision, none_slope=float(slope), none_shift=float(shift))


def _logistic(
    inputs: NDArray[np.float64],
    targets: NDArray[np.float64],
    weights: NDArray[np.float64],
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Coefficients, (k,), of (n, k) inputs in a logistic regression on targets 0..1, with normal priors."""

    def loss(coefficients: NDArray[np.float64]) -> float:
        odds = inputs @ coefficients
        return float(
            weights @ (np.logaddexp(0, odds) - targets * odds) + (((coefficients - mean) / spread) ** 2).sum() / 2
        )

    found: NDArray[np.float64] = minimize(loss, mean).x
    return found
