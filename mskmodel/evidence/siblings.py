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
#: Weight of another region in an urn in which each sibling weighs 1: with one sibling, one chance in three.
_ANEW: Final = 0.5
#: How much more often than by chance two films of a joint show the same view; one of the classes' and another of them;
#: one of these and a view that no class has. By chance each would be the case in a third.
_SAME, _BOTH_OURS, _ONE_OURS = 0.75, 1.5, 0.75


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
    """Likelihoods of what at least one sibling shows, (hypotheses,), relative to those of any radiographs.

    As from Hoppe's urn (1984, Journal of Mathematical Biology 20, 91-94): a radiograph is of the region of a sibling,
    drawn at random, or of any region anew. So several siblings say more than one, but not as much as if they were
    independent (one patient, one hand at the console), and a study may be of two joints.
    """
    drawn = np.sum([_kinship(hypotheses, one.hypotheses) @ one.answer for one in siblings], axis=0)
    return np.asarray((_ANEW + drawn) / (_ANEW + len(siblings)))


@lru_cache(maxsize=64)
def _kinship(ours: Hypotheses, theirs: Hypotheses) -> NDArray[np.float64]:
    """How much more often than by chance one of ours is met where one of theirs was drawn, (ours, theirs)."""
    region = _equal(ours, theirs, REGION) * float(len(theirs.regions))
    known = (ours.view != NO_VIEW)[:, None] & (theirs.view != NO_VIEW)[None]
    both_ours = (ours.view != len(ours.views) - 1)[:, None] & (theirs.view != len(theirs.views) - 1)[None]
    view = np.where(_equal(ours, theirs, VIEW), _SAME, np.where(both_ours, _BOTH_OURS, _ONE_OURS))
    return np.asarray(np.where(known, region * view, region))


def _equal(ours: Hypotheses, theirs: Hypotheses, kind: str) -> NDArray[np.bool_]:
    rows = np.array([(*ours.axis(kind), "")[index] for index in ours.index(kind)])
    columns = np.array([(*theirs.axis(kind), "")[index] for index in theirs.index(kind)])
    return np.asarray(rows[:, None] == columns[None])
