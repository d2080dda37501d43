"""From logits to an answer: calibrated probabilities, and a label or an abstention. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from mskmodel.labels import SEVERAL_VIEWS
from mskmodel.network.outputs import collapsed

__all__ = ["LOW_CONFIDENCE", "MORE_VIEWS", "NO_NUMBER", "UNLIKE", "Classification", "Decision", "NotANumber"]

#: Reasons of a model to abstain. The texts are stored in outcomes, and readers compare them.
LOW_CONFIDENCE = "low confidence"
#: None of the classes is the likeliest answer.
UNLIKE = "unlike every trained class"
#: Several views are on one film, so that none of them is what it shows: that is the likeliest answer.
MORE_VIEWS = "more than one view"
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
    #: Of every kind of none of the classes that the version tells apart, in its order; what they lack of the last of
    #: ``probabilities`` is none of known kind.
    kinds: tuple[tuple[str, float], ...] = ()


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

    def with_kinds(self, outputs: NDArray[np.float32], classes: int) -> NDArray[np.float64]:
        """From logits of all outputs, (n, classes + others + 1), to as many probabilities.

        Those of the classes are the same as from collapsed logits. What these give to none of the classes is split
        among its kinds in proportion to their softmax. Raises NotANumber.
        """
        found = self.probabilities(collapsed(outputs, classes))
        kinds = np.asarray(outputs[:, classes:], np.float64)
        powers = np.exp(kinds - kinds.max(axis=1, keepdims=True))
        return np.hstack([found[:, :-1], found[:, -1:] * (powers / powers.sum(axis=1, keepdims=True))])

    def decide(
        self, probabilities: NDArray[np.float64], classes: Sequence[str], kinds: Sequence[tuple[str, float]] = ()
    ) -> Classification:
        """One row of ``probabilities`` to a label or an abstention with its reason. ``kinds``: of a Classification."""
        order = np.argsort(-probabilities[:-1], kind="stable")[:5]
        top5 = tuple((classes[i], float(probabilities[i])) for i in order)
        best, confidence = top5[0]
        every = tuple(probabilities.tolist())
        if self.gives_label(probabilities[None])[0]:
            return Classification(best, top5, confidence, None, every, tuple(kinds))
        reason = UNLIKE if probabilities[-1] >= confidence else LOW_CONFIDENCE
        if _are_several_views(every, kinds):
            reason = MORE_VIEWS
        return Classification(None, top5, confidence, reason, every, tuple(kinds))

    def answer(
        self, outputs: NDArray[np.float32], classes: Sequence[str], others: Sequence[str] = ()
    ) -> Classification:
        """As `decide`, from all outputs of one picture, (classes + others + 1,); abstains if they are no numbers."""
        try:
            every = self.with_kinds(outputs[None], len(classes))[0]
        except NotANumber:
            return Classification(None, (), 0.0, NO_NUMBER)
        ours, none = every[: len(classes)], every[len(classes) :]
        kinds = tuple(zip(others, none.tolist(), strict=False))  # the last of them is none of known kind
        return self.decide(np.append(ours, none.sum()), classes, kinds)


def _are_several_views(probabilities: Sequence[float], kinds: Sequence[tuple[str, float]]) -> bool:
    """Whether several views are likelier than every class and every other kind."""
    *classes, none = probabilities
    several = sum(probability for key, probability in kinds if key == SEVERAL_VIEWS)
    rest = [probability for key, probability in kinds if key != SEVERAL_VIEWS]
    return several > max(*classes, *rest, none - several - sum(rest))
