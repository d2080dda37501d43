"""What the other radiographs of a study say of one of them: mostly the same region, and then another view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION, VIEW
from mskmodel.evidence.hypotheses import NO_VIEW, Hypotheses

__all__ = ["Relative", "heard", "sibling_likelihoods"]

#: So many siblings are listened to, the surest ones.
_MOST: Final = 8
#: Chance that two radiographs of a study show the same region, and that two of one region show different views.
_SAME_REGION, _OTHER_VIEW = 0.8, 0.8


@dataclass(frozen=True, eq=False)
class Relative:
    """What a sibling shows by its own pixels and header, and by no sibling, or what it says would come back to it.

    ``answer``: (hypotheses,) probabilities; 1 for what a person said that it shows.
    """

    hypotheses: Hypotheses
    answer: NDArray[np.float64]


def heard(siblings: Iterable[Relative]) -> list[Relative]:
    """Those that are listened to, the surest first: bounded, however large the study is."""
    return sorted(siblings, key=lambda one: -float(one.answer.max()))[:_MOST]


def sibling_likelihoods(siblings: Sequence[Relative], hypotheses: Hypotheses) -> NDArray[np.float64]:
    """Log likelihoods of what at least one sibling shows, (hypotheses,), relative to those of any radiographs.

    Several do not err independently of each other (one patient, one hand at the console): their sum is divided by the
    root of their number.
    """
    each = [np.log(_kinship(hypotheses, one.hypotheses) @ one.answer) for one in siblings]
    return np.asarray(np.sum(each, axis=0) / np.sqrt(len(each)))


@lru_cache(maxsize=64)
def _kinship(ours: Hypotheses, theirs: Hypotheses) -> NDArray[np.float64]:
    """How much more often than by chance a study that holds one of ours holds one of theirs, (ours, theirs)."""
    same = _equal(ours, theirs, REGION)
    count = len(theirs.regions)
    region = np.where(same, count * _SAME_REGION, 0.0) + (1.0 - _SAME_REGION)
    seen = (ours.view != NO_VIEW)[:, None] & (theirs.view != NO_VIEW)[None]
    # By chance two of three films of a joint would show different views: AP, lateral, and all others.
    view = np.where(_equal(ours, theirs, VIEW), 3.0 * (1.0 - _OTHER_VIEW), 1.5 * _OTHER_VIEW)
    return np.asarray(np.where(same & seen, region * view, region))


def _equal(ours: Hypotheses, theirs: Hypotheses, kind: str) -> NDArray[np.bool_]:
    rows = np.array([(*ours.axis(kind), "")[index] for index in ours.index(kind)])
    columns = np.array([(*theirs.axis(kind), "")[index] for index in theirs.index(kind)])
    return np.asarray(rows[:, None] == columns[None])
