"""How well versions tell the classes apart, and all of them from none of them, at every threshold at once.

A version labels more at a lower threshold: more images of the classes get their right label, and more of none of them
get one too. The open-set classification rate (Dhamija et al. 2018) is the share of right labels, averaged over all
rates at which none of the classes is labelled. Two versions with different thresholds are compared by it alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST", "Open", "chance_of_worse", "oscr"]

#: Fewest images of the classes, and of none of them, of which a bootstrap says anything.
FEWEST = 5
_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Open:
    """Answers to n images. ``right``: (n,) bool, the likeliest class is the true one; ``confidence``: (n,) its
    probability; ``ours``: (n,) bool, whether the image is of the classes.
    """

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    ours: NDArray[np.bool_]

    def part(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Open:
        """The answers to these images."""
        return Open(self.right[rows], self.confidence[rows], self.ours[rows])

    @property
    def is_enough(self) -> bool:
        """Whether there are enough images of both kinds to compare versions by."""
        return bool(min(self.ours.sum(), (~self.ours).sum()) >= FEWEST)


def oscr(answers: Open) -> float:
    """Chance that an image of the classes is right, and surer than an image of none of them, 0..1.

    It is the area under the curve of right labels over labels of none of the classes. There must be images of both.
    """
    none = np.sort(answers.confidence[~answers.ours])
    surer = np.searchsorted(none, answers.confidence[answers.ours], "left") / len(none)
    return float((surer * answers.right[answers.ours]).mean())


def chance_of_worse(old: Open, new: Open) -> float:
    """p-value that the new version is no worse: share of paired bootstrap samples in which it is as good or better.

    Images are drawn within those of the classes and of none of them. Both must have enough of them.
    """
    random = np.random.default_rng(1)
    kinds = [np.flatnonzero(old.ours), np.flatnonzero(~old.ours)]
    draws = (np.concatenate([random.choice(rows, len(rows)) for rows in kinds]) for _ in range(_DRAWS))
    return float(np.mean([oscr(new.part(rows)) >= oscr(old.part(rows)) for rows in draws]))
