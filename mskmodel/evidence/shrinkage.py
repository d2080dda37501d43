"""How likely a term is for each region or view, from what is known before any count and from what was counted.

Likelihoods are relative to how likely the term is at all: 1 says nothing. A region or view is called an answer here; an
axis holds all answers. Counts and prior are joined as in Gamma-Poisson shrinkage of observed to expected counts
(DuMouchel 1999, The American Statistician 53, 177-190): where little was to be expected, the prior stands; where much
was, the counts do. So a term never met and an answer never met both mean what the prior says, a header that says the
same of everything comes to mean nothing, and a site's own code comes to mean what it goes with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.terms import OTHER, REGION_TERMS, VIEW_TERMS

__all__ = ["GROUP", "LITERATURE", "goes_with", "is_known", "posterior", "prior", "right_share", "says", "shares"]
__all__ += ["site_strength", "usual_shares"]

#: Share of headers that are right: 15 % of body parts were wrong in Güld et al. 2002 (Proc. SPIE 4685, 280-287).
LITERATURE: Final = 0.85
#: Expected count of a term and an answer from which on counts weigh more than what is known before: a group's against
#: the site's; the site's against the prior, of a term that is known, and of one that is not.
GROUP: Final = 10.0
_KNOWN, _CODE = 30.0, 2.0
#: Claims of a field that weigh as much as the usual shares of the answers.
_USUAL: Final = 20.0
#: No claim makes anything less likely than by this factor: a header that never lied may still lie.
_FLOOR: Final = 0.01
_TINY = float(np.finfo(float).tiny)


def is_known(term: str, kind: str) -> bool:
    """Whether anything is known of a term before any count: of a site's own code there is not."""
    words = REGION_TERMS if kind == REGION else VIEW_TERMS
    return all(part in words for part in term.split("+"))


def site_strength(term: str, kind: str) -> float:
    """Expected count from which on a site's counts weigh more than the prior: many for a term that is known."""
    return _KNOWN if is_known(term, kind) else _CODE


@lru_cache(maxsize=4096)
def _weights(term: str, kind: str, axis: tuple[str, ...]) -> tuple[float, ...]:
    if not is_known(term, kind):
        return (math.nan,) * len(axis)
    words: Mapping[str, Mapping[str, float]] = REGION_TERMS if kind == REGION else VIEW_TERMS
    told = {answer for weights in words.values() for answer in weights}
    parts = [{part: 1.0} if part in axis else words[part] for part in term.split("+")]
    meant = {answer for part in parts for answer in part}
    apart = {answer for answer, weights in words.items() if not meant & weights.keys()}
    found = {answer: 0.0 if answer in told | apart else math.nan for answer in axis}
    for part in parts:
        for answer, weight in part.items():
            name = answer if answer in axis else OTHER
            found[name] = np.nan_to_num(found[name]) + weight / len(parts)
    return tuple(found.values())


def goes_with(term: str, kind: str, axis: tuple[str, ...]) -> NDArray[np.float64]:
    """Shares of the answers among films that the term describes rightly, (axis,); NaN where nothing is known.

    Nothing is known of a site's own code. A version may have classes that the terms' table does not tell apart, such as
    of the wrist: the term of that name means it, terms of quite other regions do not, and of the rest nothing is known.
    What goes with an answer that the axis lacks goes with `OTHER`.
    """
    return np.array(_weights(term, kind, axis))


def prior(weights: NDArray[np.float64], right: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Likelihoods before any count, (terms, axis), from ``weights`` (see `goes_with`); 1 where nothing is known.

    ``right``: (terms,) share of claims that are right; wrong ones are spread evenly over the other answers. ``among``:
    shares of the answers, (axis,) or (terms, axis), weighted by which the likelihoods of a term have mean 1.
    """
    known = ~np.isnan(weights)
    found = np.where(known, _hits(weights, right) + _misses(weights, right), 0.0)
    mean = (found * among).sum(axis=1, keepdims=True) / np.maximum((known * among).sum(axis=1, keepdims=True), _TINY)
    return np.where(known, found / np.maximum(mean, _TINY), 1.0)


def right_share(weights: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that a claim was right, (terms, axis), given the true answer, if ``right`` of all are; NaN as above."""
    hits = _hits(weights, right)
    return np.asarray(hits / np.maximum(hits + _misses(weights, right), _TINY))


def _hits(weights: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(right[:, None] * weights)


def _misses(weights: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    others = np.maximum((~np.isnan(weights)).sum(axis=1, keepdims=True) - 1, 1)
    return np.asarray((1.0 - right)[:, None] * (1.0 - weights) / others)


def posterior(
    counts: NDArray[np.float64],
    among: NDArray[np.float64],
    before: NDArray[np.float64],
    strength: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Likelihoods (terms, axis) after counts (terms, axis), from those before.

    ``strength``: `GROUP` or `site_strength`; one number, or (terms, 1).
    """
    expected = counts.sum(axis=1, keepdims=True) * among
    return np.asarray(np.clip((counts + strength * before) / (expected + strength), _FLOOR, 1.0 / _FLOOR))


def says(likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much is said by likelihoods, (n, axis), 0..1, (n, 1); 0 where all answers are as likely as any other."""
    return np.asarray(1.0 - 1.0 / np.maximum(likelihoods.max(axis=1, keepdims=True), 1.0))


def shares(counts: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the answers among what was counted, (..., axis), drawn towards the usual ones while counts are few."""
    return np.asarray((counts + _USUAL * usual) / (counts.sum(axis=-1, keepdims=True) + _USUAL))


def usual_shares(hypotheses: Hypotheses, kind: str) -> NDArray[np.float64]:
    """Shares of the answers before any count, (axis,): every hypothesis is as frequent as any other."""
    held = hypotheses.membership(kind).sum(axis=0)
    return np.asarray(held / held.sum())
