"""Pixels, header and study decide together: probabilities of the pixels times the likelihoods of all other evidence.

How common each class is, and where a model abstains, stay as the version says: evidence brings likelihoods alone, so
no prior is counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION, VIEW, Claims
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.reliability import PRIOR, Reliability
from mskmodel.evidence.shrinkage import says
from mskmodel.evidence.siblings import Relative, heard, sibling_likelihoods
from mskmodel.evidence.terms import OTHER
from mskmodel.labels import parts_of
from mskmodel.tables.label_cell import NONE

__all__ = ["HEADER", "SIBLINGS", "Combined", "Sibling", "combined", "of_one_hand", "pinned", "weighed"]

#: Names of the pieces of evidence.
HEADER, SIBLINGS = "header", "siblings"
_NO_CLAIMS: Final = Claims()
#: Where other evidence speaks, a network's probabilities count for less, since they are too sure of pictures unlike
#: those that it was trained on: their exponent goes from 1, where it says nothing, to 1 less this, where it is strong.
_DISCOUNT: Final = 0.25
#: Share of headers that are of another examination altogether, so that region and view are wrong together.
_ELSEWHERE: Final = 0.1


@dataclass(frozen=True, eq=False)
class Sibling:
    """Another radiograph of the study.

    ``pixels``: (classes + 1,) probabilities by the pixels alone, of a version with these classes. ``truth``: what a
    person said that it shows, a class or ``none``; ``""`` where nobody did.
    """

    classes: tuple[str, ...]
    pixels: NDArray[np.float64]
    claims: Claims
    truth: str = ""
    #: As `combined` takes them.
    kinds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Combined:
    """One answer of all evidence.

    ``probabilities``: (classes + 1,), as a version's decision takes them; without evidence, the pixels' own.
    ``pieces``: by `HEADER` and `SIBLINGS`, as far as they say anything, (classes + 1,) likelihoods, 1 for what says
    nothing; of none of the classes, the mean over what it is made of by the pixels. ``regions``: combined probability
    of each region of the classes and of the kinds, ``other`` for all further ones; they add up to 1. ``heard``: of each
    sibling that counts, by its own pixels and header, the likeliest class, or ``none``, and its probability; the surest
    first.
    """

    probabilities: NDArray[np.float64]
    pieces: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    regions: Mapping[str, float] = field(default_factory=dict)
    heard: tuple[tuple[str, float], ...] = ()


def combined(
    pixels: NDArray[np.float64],
    classes: Sequence[str],
    claims: Claims = _NO_CLAIMS,
    siblings: Sequence[Sibling] = (),
    reliability: Reliability = PRIOR,
    kinds: Mapping[str, float] = MappingProxyType({}),
) -> Combined:
    """Combine (classes + 1,) ``pixels``, the last of them none of the classes, with what else is known.

    ``kinds``: by key, what the pixels give to kinds of none of the classes that the version tells apart.
    """
    hypotheses = Hypotheses.of(tuple(classes))
    split = hypotheses.split_by_kind(pixels, kinds)
    header = _of_header(claims, hypotheses, reliability)
    logs = {HEADER: header} if header.any() else {}
    relatives = heard(_relative(one, reliability) for one in siblings)
    if relatives:
        logs[SIBLINGS] = np.log(sibling_likelihoods(relatives, hypotheses))
    answer = weighed(split[None], sum(logs.values(), np.zeros(len(split)))[None])[0] if logs else split
    return Combined(
        hypotheses.joined(answer[None])[0] if logs else pixels,
        {name: _by_class(np.exp(one), split, len(classes)) for name, one in logs.items()},
        _regions(answer, split, hypotheses, kinds),
        tuple(_likeliest(one) for one in relatives),
    )


def weighed(split: NDArray[np.float64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities (n, hypotheses) of the pixels with the evidence of log likelihoods ``logs``; rows add up to 1."""
    with np.errstate(divide="ignore"):
        powers = (1.0 - _DISCOUNT * says(np.exp(logs))) * np.log(split) + logs
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def of_one_hand(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log likelihoods of a header from the sum of those of its region and its view: both may be of another film."""
    return np.asarray(np.log((1.0 - _ELSEWHERE) * np.exp(logs) + _ELSEWHERE))


def pinned(split: NDArray[np.float64], truth: str, hypotheses: Hypotheses) -> NDArray[np.float64]:
    """(hypotheses,) probabilities restricted to what a person said; a class that the version lacks is none of them."""
    allowed = np.zeros(len(split))
    if truth in hypotheses.classes:
        allowed[hypotheses.classes.index(truth)] = 1.0
        return allowed
    allowed[len(hypotheses.classes) :] = 1.0
    kept = split * allowed + np.finfo(float).tiny * allowed
    return np.asarray(kept / kept.sum())


@lru_cache(maxsize=1024)  # the headers of a site repeat each other; what they are worth changes seldom
def _of_header(claims: Claims, hypotheses: Hypotheses, reliability: Reliability) -> NDArray[np.float64]:
    """Log likelihoods of the header, (hypotheses,).

    The fields are filled by the same hand and are wrong together, so what they say of the region counts as one claim:
    the mean of their logarithms, weighted by how much each says. The same holds for the view.
    """
    found = np.zeros((1, len(hypotheses)))
    for kind in (REGION, VIEW):
        said = [reliability.likelihood(one, claims.group, hypotheses) for one in claims.claims if one.kind == kind]
        weights = says(np.array(said)) if said else np.zeros((1, 1))
        if weights.any():
            mean = (weights * np.log(said)).sum(axis=0) / weights.sum()
            found += hypotheses.spread(mean[None], kind, 0.0)
    return np.asarray(of_one_hand(found)[0] if found.any() else found[0])


def _relative(sibling: Sibling, reliability: Reliability) -> Relative:
    hypotheses = Hypotheses.of(sibling.classes)
    split = hypotheses.split_by_kind(sibling.pixels, sibling.kinds)
    answer = weighed(split[None], _of_header(sibling.claims, hypotheses, reliability)[None])[0]
    return Relative(hypotheses, pinned(answer, sibling.truth, hypotheses) if sibling.truth else answer)


def _regions(
    answer: NDArray[np.float64], split: NDArray[np.float64], hypotheses: Hypotheses, kinds: Mapping[str, float]
) -> dict[str, float]:
    """Probability of each region. Of what is another region by all evidence, each has the share that the pixels say."""
    found = dict(zip(hypotheses.regions, (answer @ hypotheses.membership(REGION)).tolist(), strict=True))
    left = float(split[-1]) and found[OTHER] / float(split[-1])
    for key, probability in kinds.items():
        region = parts_of(key)[0]
        if region and region not in hypotheses.regions:
            found[region] = found.get(region, 0.0) + left * probability
    told = sum(probability for region, probability in found.items() if region not in hypotheses.regions)
    return found | {OTHER: max(found[OTHER] - told, 0.0)}


def _likeliest(one: Relative) -> tuple[str, float]:
    answer = one.hypotheses.joined(one.answer[None])[0]
    best = int(answer.argmax())
    return (*one.hypotheses.classes, NONE)[best], float(answer[best])


def _by_class(likelihoods: NDArray[np.float64], split: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """(classes + 1,) from (hypotheses,): of none of the classes, the mean over its parts."""
    parts = split[classes:]
    none = np.average(likelihoods[classes:], weights=parts if parts.sum() > 0 else None)
    return np.append(likelihoods[:classes], none)
