"""How far a figure can be trusted: 95 % confidence intervals.

All of them take the radiographs to be independent. Several of one patient make them a little too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "auroc_interval", "mean_of_rates", "wilson"]

#: Standard deviations of a normal distribution on either side of its mean that hold 95 %.
_Z = 1.959963985
_DRAWS = 10_000


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``, 95 %; ``method`` names how it was found."""

    low: float
    high: float
    method: str


def wilson(hits: float, of: int) -> Interval | None:
    """Interval of a share (Wilson 1927). It has a width also where all or none are hits. None if ``of`` is 0."""
    if not of:
        return None
    share, z2 = hits / of, _Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)), "Wilson")


def mean_of_rates(hits: NDArray[np.int64], of: NDArray[np.int64]) -> Interval | None:
    """Interval of the mean over classes of hits/of: percentiles of 10,000 bootstrap samples drawn within each class.

    A class that is entirely right (or wrong) adds no width, so with few pictures per class the interval is too narrow.
    Where all classes are so, it is Wilson's over all pictures: a sample without a mistake proves nothing.
    Classes without pictures are left out; None if no class is left.
    """
    hits, of = hits[of > 0], of[of > 0]
    if ((hits == 0) | (hits == of)).all():
        return wilson(float(np.mean(hits / of)) * int(of.sum()), int(of.sum())) if len(of) else None
    # Drawing n of n pictures with replacement and counting the hits is one draw of a binomial distribution.
    means = (np.random.default_rng(1).binomial(of, hits / of, (_DRAWS, len(of))) / of).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(low), float(high), "stratified bootstrap")


def auroc_interval(auroc: float, positive: int, negative: int) -> Interval:
    """Interval of an area under the ROC curve, by the numbers of positives and negatives (Newcombe 2006, method 5).

    Unlike DeLong's, it has a width also where the two are separated without a mistake.
    """
    n = (positive + negative) / 2 - 1

    def error(area: float) -> float:
        spread = 1 + n * (1 - area) / (2 - area) + n * area / (1 + area)
        return math.sqrt(area * (1 - area) * spread / (positive * negative))

    low = _first(lambda area: area + _Z * error(area) >= auroc, auroc)
    high = 1 - _first(lambda rest: 1 - rest - _Z * error(1 - rest) <= auroc, 1 - auroc)
    return Interval(low, high, "Newcombe")


def _first(true_at: Callable[[float], bool], high: float) -> float:
    """Smallest value of 0..``high`` at which ``true_at`` is true, by bisection; it must be true at ``high``."""
    low = 0.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if true_at(middle) else (middle, high)
    return high
