"""What a radiograph may show: each class of a version, and what of none of the classes evidence can tell apart.

A header that says "hand, oblique" speaks for none of the classes, but not for any knee. So none of the classes is split
into another view of each joint and any other region. Pixels know of the split where a version tells kinds of none
apart; elsewhere it is a model, made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION
from mskmodel.evidence.terms import OTHER
from mskmodel.labels import parts_of

__all__ = ["NO_VIEW", "Hypotheses"]

#: Index of the view of a hypothesis that says nothing of it.
NO_VIEW: Final = -1
#: Share of none of the classes that is another region; the rest are other views of the classes' joints.
_OTHER_REGION: Final = 0.7


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What the pictures of a version with these classes may show, in this order: its classes, another view of each of
    its joints, another region.

    ``regions``, ``views``: those of the classes, `OTHER` last. ``region``, ``view``: (hypotheses,) int64, an index of
    them; the view is `NO_VIEW` for another region, and for a class whose key names none.
    """

    classes: tuple[str, ...]
    regions: tuple[str, ...]
    views: tuple[str, ...]
    region: NDArray[np.int64]
    view: NDArray[np.int64]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(classes: tuple[str, ...]) -> Hypotheses:
        """Those of a version with these classes."""
        parts = [(region or OTHER, view) for region, view in map(parts_of, classes)]
        regions = (*dict.fromkeys(region for region, _ in parts if region != OTHER), OTHER)
        views = (*dict.fromkeys(view for _, view in parts if view not in ("", OTHER)), OTHER)
        joints = len(regions) - 1
        region = [*(regions.index(region) for region, _ in parts), *range(joints), joints]
        view = [*(views.index(view) if view else NO_VIEW for _, view in parts), *[len(views) - 1] * joints, NO_VIEW]
        return Hypotheses(classes, regions, views, np.array(region, np.int64), np.array(view, np.int64))

    def __len__(self) -> int:
        return len(self.region)

    def axis(self, kind: str) -> tuple[str, ...]:
        """The regions or the views, by the kind of a claim."""
        return self.regions if kind == REGION else self.views

    def index(self, kind: str) -> NDArray[np.int64]:
        """Index of `axis` of each hypothesis, (hypotheses,)."""
        return self.region if kind == REGION else self.view

    def membership(self, kind: str) -> NDArray[np.float64]:
        """(hypotheses, axis): 1 where the hypothesis has that region or view; a row of 0 where it has none."""
        return np.asarray(self.index(kind)[:, None] == np.arange(len(self.axis(kind))), np.float64)

    def spread(self, values: NDArray[np.float64], kind: str, blank: float) -> NDArray[np.float64]:
        """From (n, axis) values of regions or views to (n, hypotheses); ``blank`` where a hypothesis has none."""
        padded = np.concatenate([values, np.full((len(values), 1), blank)], axis=1)
        return np.asarray(padded[:, self.index(kind)])

    def split(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """From (n, classes + 1) probabilities of the pixels to (n, hypotheses).

        A fixed share of none of the classes is another region. The rest goes to other views of the joints, in
        proportion to what the pixels give to the classes of each: what looks like a hand and is none mostly is one.
        """
        none, joints = pixels[:, -1:], len(self.regions) - 1
        mass = pixels[:, :-1] @ self.membership(REGION)[: len(self.classes), :joints] + np.finfo(float).tiny
        share = 1.0 if joints == 0 else _OTHER_REGION
        joint = none * (1.0 - share) * mass / mass.sum(axis=1, keepdims=True) if joints else mass
        return np.concatenate([pixels[:, :-1], joint, none * share], axis=1)

    def split_by_kind(self, pixels: NDArray[np.float64], kinds: Mapping[str, float]) -> NDArray[np.float64]:
        """As `split`, from (classes + 1,) probabilities of one picture of whose none the pixels tell ``kinds`` apart.

        A kind counts for its region; what shows several views, for the joints that the classes look like. What is of no
        known kind is split as ever.
        """
        joints = len(self.regions) - 1
        elsewhere, nowhere = np.zeros(joints + 1), 0.0
        for key, probability in kinds.items():
            if region := parts_of(key)[0]:
                place = self.regions.index(region) if region in self.regions[:-1] else joints
                elsewhere[place] += probability
            else:
                nowhere += probability
        unknown = max(float(pixels[-1]) - elsewhere.sum() - nowhere, 0.0)
        found = self.split(np.append(pixels[:-1], unknown)[None])[0]
        looks = pixels[:-1] @ self.membership(REGION)[: len(self.classes)] + elsewhere + np.finfo(float).tiny
        looks[-1] = 0.0 if joints else 1.0
        found[len(self.classes) :] += elsewhere + nowhere * looks / looks.sum()
        return np.asarray(found)

    def joined(self, split: NDArray[np.float64]) -> NDArray[np.float64]:
        """The way back: (n, classes + 1)."""
        classes = len(self.classes)
        return np.concatenate([split[:, :classes], split[:, classes:].sum(axis=1, keepdims=True)], axis=1)
