"""From logits to an answer: calibrated probabilities, and a label or an abstention. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOW_CONFIDENCE", "NO_NUMBER", "UNLIKE", "Classification", "Decision", "NotANumber"]

#: Reasons of a model to abstain. The texts are stored in outcomes, and readers compare them.
LOW_CONFIDENCE = "low confidence"
#: None of the classes is the likeliest answer.
UNLIKE = "unlike every trained class"
#: The model answered with something that is no number, such as NaN.
NO_NUMBER = "the model's answer is no number"


class NotANumber(ArithmeticError):
    """A model's answer is NaN or infinite: its weights are damaged, or its training diverged."""

    def __init__(self) -> None:
        super().__init__(NO_NUMBER)


@dataclass(frozen=True)
class Classification:
    """The model's answer for one radiograph.

    ``label``: None if it abstains; ``reason`` then says why. ``top5``: the likeliest classes with their
    calibrated probabilities, descending; with the probability of none of the classes they add up to at most 1.
    ``confidence``: the probability of the first of them. All of them are finite; without any number in the model's
    answer, ``top5`` and ``probabilities`` are empty and ``confidence`` is 0.
    """

    label: str | None
    top5: tuple[tuple[str, float], ...]
    confidence: float
    reason: str | None
    #: Of every class, in the version's order, and of none of them.
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class Decision:
    """How logits become probabilities, and the operating point below which the model abstains. Part of a version.

    Raises ValueError for what is no finite number, and for a temperature that is not above 0.
    """

    temperature: float = 1.0
    #: Smallest probability of the likeliest class that gives a label.
    threshold: float = 0.5
    #: The log odds of none of the classes against all of them are multiplied by the slope, then the shift is added
    #: (Platt 1999): training shows none of the classes more or less often than practice, so its odds are biased.
    none_slope: float = 1.0
    none_shift: float = 0.0

    def __post_init__(self) -> None:
        """Check every field: a comparison with NaN is always false, and would give a label."""
        for name, value in asdict(self).items():
            if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{name} of the decision must be a finite number, not {value!r}")
        if self.temperature <= 0:
            raise ValueError(f"temperature of the decision must be above 0, not {self.temperature!r}")

    def scaled(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits after temperature and Platt scaling, (n, classes + 1); the last column is none of the classes.

        Raises NotANumber if any of them is not finite.
        """
        if not np.isfinite(logits).all():
            raise NotANumber
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.asarray(logits, np.float64) / self.temperature
            classes = np.logaddexp.reduce(scaled[:, :-1], axis=1)
            scaled[:, -1] = classes + self.none_slope * (scaled[:, -1] - classes) + self.none_shift
        if not np.isfinite(scaled).all():
            raise NotANumber
        return scaled

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax of ``scaled``. Raises NotANumber."""
        scaled = self.scaled(logits)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def gives_label(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each row of ``probabilities`` leads to a label, (n,), and not to an abstention."""
        confidence = probabilities[:, :-1].max(axis=1)
        return np.asarray((confidence >= self.threshold) & (confidence > probabilities[:, -1]))

    def decide(self, probabilities: NDArray[np.float64], classes: Sequence[str]) -> Classification:
        """One row of ``probabilities`` to a label or an abstention with its reason."""
        order = np.argsort(-probabilities[:-1], kind="stable")[:5]
        top5 = tuple((classes[i], float(probabilities[i])) for i in order)
        best, confidence = top5[0]
        every = tuple(probabilities.tolist())
        if self.gives_label(probabilities[None])[0]:
            return Classification(best, top5, confidence, None, every)
        reason = UNLIKE if probabilities[-1] >= confidence else LOW_CONFIDENCE
        return Classification(None, top5, confidence, reason, every)

    def answer(self, logits: NDArray[np.float32], classes: Sequence[str]) -> Classification:
        """As `decide`, from the logits of one picture, (classes + 1,); abstains if they are no numbers."""
        try:
            return self.decide(self.probabilities(logits[None])[0], classes)
        except NotANumber:
            return Classification(None, (), 0.0, NO_NUMBER)
