"""How much one picture is worth beside another one, by region, side, view and modality."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

from mskmodel.priors.neighbours import Weights
from mskmodel.priors.picture import UNPAIRED, Picture

__all__ = ["OPPOSITE", "OTHER", "SAME", "UNKNOWN", "Likeness", "Likenesses"]

#: How sides, views and modalities of two pictures go together. Sides of unpaired regions are the same.
SAME, UNKNOWN, OTHER, OPPOSITE = "same", "unknown", "other", "opposite"

#: Factors of the score. What is unknown is no mismatch, and ranks behind what is known to match. The opposite side is
#: so strong a minus that nothing else makes up for it (`relevance.THRESHOLD`). A neighbour is another view.
_SIDE: Final = {SAME: 1.0, UNKNOWN: 0.9, OPPOSITE: 0.15}
_VIEW: Final = {SAME: 1.0, UNKNOWN: 0.9, OTHER: 0.8}
_MODALITY: Final = {SAME: 1.0, UNKNOWN: 1.0, OTHER: 0.85}
#: Modalities of projection radiographs, which are one here.
_RADIOGRAPHS: Final = frozenset({"CR", "DX", "RG"})


@dataclass(frozen=True)
class Likeness:
    """What two pictures have in common. ``score``: 0..1."""

    score: float
    #: Regions of the current picture and of the earlier one that go together best.
    region: str = ""
    beside: str = ""
    side: str = UNKNOWN
    view: str = UNKNOWN
    modality: str = UNKNOWN

    @property
    def is_neighbour(self) -> bool:
        """Whether the regions are two, seen together."""
        return self.region != self.beside


class Likenesses:
    """Likenesses by a table of neighbours. Each is worked out once: the studies of a patient repeat few pictures."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._known: dict[tuple[object, ...], Likeness] = {}

    def of(self, current: Picture, prior: Picture) -> Likeness:
        """The likeness of an earlier picture to the current one; a score of 0 where no regions go together."""
        key = tuple((one.regions, one.views, one.side, one.modality) for one in (current, prior))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._likeness(current, prior)
        return found

    def _likeness(self, current: Picture, prior: Picture) -> Likeness:
        view = _view(current, prior)
        modality = _modality(current.modality, prior.modality)
        best = Likeness(0.0)
        for region, beside in product(current.regions, prior.regions):
            is_same = region == beside
            weight = _VIEW[view] if is_same else _VIEW[OTHER] * self._weights.get(frozenset((region, beside)), 0.0)
            side = SAME if region in UNPAIRED or beside in UNPAIRED else _side(current.side, prior.side)
            score = weight * _SIDE[side] * _MODALITY[modality]
            if score > best.score:
                best = Likeness(score, region, beside, side, view, modality)
        return best


def _side(one: str, other: str) -> str:
    if not one or not other:
        return UNKNOWN
    return SAME if one == other or "B" in (one, other) else OPPOSITE


def _view(one: Picture, other: Picture) -> str:
    if not one.views or not other.views:
        return UNKNOWN
    return SAME if set(one.views) & set(other.views) else OTHER


def _modality(one: str, other: str) -> str:
    if not one or not other:
        return UNKNOWN
    return SAME if one == other or {one, other} <= _RADIOGRAPHS else OTHER
