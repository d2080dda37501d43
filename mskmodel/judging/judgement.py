"""A model's answers against the truth, picture by picture. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskmodel.registry.decision import Decision

__all__ = ["Judgement"]


@dataclass(frozen=True, eq=False)
class Judgement:
    """Answers against the truth, picture by picture; each array is (n,).

    ``labels``: int64, true classes, ``classes`` = none of them. ``best``: int64, the likeliest class whether or not
    the model abstains; ``confidence``: its probability. ``answered``: bool, whether it gets a label. ``in_five``: bool,
    whether the truth is among the five likeliest classes.
    """

    classes: int
    labels: NDArray[np.int64]
    best: NDArray[np.int64]
    confidence: NDArray[np.float64]
    answered: NDArray[np.bool_]
    in_five: NDArray[np.bool_]

    @classmethod
    def of(cls, logits: NDArray[np.float32], labels: NDArray[np.int64], decision: Decision) -> Judgement:
        """From (n, classes + 1) logits and (n,) true classes; whatever is no class is none of them."""
        labels = np.minimum(labels, logits.shape[1] - 1)
        probabilities = decision.probabilities(logits)
        order = np.argsort(-probabilities[:, :-1], axis=1, kind="stable")
        confidence = np.take_along_axis(probabilities, order[:, :1], axis=1)[:, 0]
        return cls(
            classes=logits.shape[1] - 1,
            labels=labels,
            best=order[:, 0],
            confidence=confidence,
            answered=decision.gives_label(probabilities),
            in_five=(order[:, :5] == labels[:, None]).any(axis=1),
        )

    @property
    def ours(self) -> NDArray[np.bool_]:
        """Which pictures are of the classes, (n,)."""
        return self.labels < self.classes

    @property
    def right(self) -> NDArray[np.bool_]:
        """Of which pictures the likeliest class is the true one, (n,)."""
        right: NDArray[np.bool_] = self.best == self.labels
        return right

    @property
    def mistaken(self) -> NDArray[np.bool_]:
        """Which pictures are wrong, (n,): another class is likeliest, or one of none of the classes got a label."""
        return np.where(self.ours, ~self.right, self.answered)
