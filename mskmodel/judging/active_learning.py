"""Which radiographs a person should look at next, so that the next training learns most from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

__all__ = ["Candidate", "doubtful", "suggest"]

#: Weight of a model's certainty where the header says something else; not 0, as headers are wrong at times, too.
_CERTAINTY_AGAINST_HEADER = 0.5
#: Of each answer, `_KEPT` times as many candidates as are wanted are kept, to choose different ones from; `_ENOUGH` of
#: them suffice, unless more are wanted.
_KEPT, _ENOUGH = 10, 1000
#: Difference of the two highest probabilities from which on the second is not named as a reason.
_CLEAR = 0.5
_NONE = "none of the classes"


@dataclass(frozen=True)
class Candidate:
    """A radiograph without a truth, and what the model says of it.

    ``top``: the likeliest classes, five at most, with their calibrated probabilities, descending. The rest up
    to 1 counts as the probability of none of the classes, which is a little too much where there are more classes.
    ``unlike``: none of the classes is the likeliest answer.
    ``disagreement``: how sure the pixels are that the header is wrong, 0..1.
    """

    key: str
    top: tuple[tuple[str, float], ...]
    unlike: bool = False
    disagreement: float = 0.0
    patient: str = ""

    @property
    def said(self) -> str | None:
        """The likeliest answer; None for none of the classes."""
        return None if self.unlike else self.top[0][0]

    @property
    def header_disagrees(self) -> bool:
        """Whether the header is more likely wrong than right, by the pixels."""
        return self.disagreement > 0.5

    @property
    def doubt(self) -> float:
        """From 0 to 1; it is 1 where the two likeliest answers are equally likely."""
        return 1.0 - self._margin * (1.0 - (1.0 - _CERTAINTY_AGAINST_HEADER) * self.disagreement)

    @property
    def why(self) -> str:
        """The reason to look at it, in words."""
        best, second = (f"{key} ({probability:.2f})" for key, probability in (*self.top, ("", 0.0))[:2])
        if self.unlike:
            reason = f"{_NONE}, or {best}"
        elif self._margin >= _CLEAR:
            reason = best
        else:
            reason = f"{best} or {_NONE if self._none > self._second else second}"
        return reason + (", but the header says something else" if self.header_disagrees else "")

    @property
    def _none(self) -> float:
        return max(0.0, 1.0 - sum(probability for _, probability in self.top))

    @property
    def _second(self) -> float:
        return self.top[1][1] if len(self.top) > 1 else 0.0

    @property
    def _margin(self) -> float:
        """Difference of the two likeliest answers. None of the classes can be one, but the first only if ``unlike``."""
        first = self.top[0][1]
        if self.unlike:
            return max(0.0, self._none - first)
        return first - max(self._second, min(self._none, first))


def doubtful(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """The most doubtful candidates of each answer, enough for `suggest`; memory grows with ``count`` only."""
    most = max(count, min(_KEPT * count, _ENOUGH))
    heaps: dict[str | None, list[tuple[float, str, Candidate]]] = {}
    for each in candidates:
        heap = heaps.setdefault(each.said, [])
        entry = (each.doubt, each.key, each)
        if len(heap) < most:
            heappush(heap, entry)
        else:
            heappushpop(heap, entry)
    return [each for heap in heaps.values() for _, _, each in heap]


def suggest(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """Choose at most ``count`` candidates: doubtful, with different answers, one per patient; the most doubtful first.

    They are drawn as k-means++ draws its centres (Arthur and Vassilvitskii 2007): the chance of a candidate is its
    doubt times the distance of its probabilities from the nearest of those drawn before. By doubt alone, many would be
    doubtful in the same way. A second radiograph of a patient is drawn only after one of every patient. The same
    candidates, in any order, give the same result.
    """
    waiting = sorted(candidates, key=lambda each: each.key)
    random = np.random.default_rng(1)
    points, patients = _points(waiting), _patients(waiting)
    doubts = np.array([each.doubt for each in waiting])
    left = np.ones(len(waiting), bool)
    chosen: list[Candidate] = []
    while left.any() and len(chosen) < count:
        open_, far, drawn = left.copy(), np.ones(len(waiting)), list[int]()
        while open_.any() and len(chosen) + len(drawn) < count:
            chances = doubts * far * open_
            if drawn and chances.sum() > 0:
                one = int(random.choice(len(waiting), p=chances / chances.sum()))
            else:
                one = int(np.where(open_, doubts, -1.0).argmax())
            drawn.append(one)
            open_ &= patients != patients[one]
            far = np.minimum(far, np.clip(1.0 - points @ points[one], 0.0, 1.0))
        left[drawn] = False
        chosen += [waiting[one] for one in sorted(drawn, key=lambda one: (-doubts[one], waiting[one].key))]
    return chosen


def _points(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Roots of probabilities, (n, answers). 1 minus the dot product of two rows is their squared Hellinger distance."""
    column: dict[str, int] = {}
    for each in candidates:
        for key, _ in each.top:
            column.setdefault(key, len(column) + 1)
    found = np.zeros((len(candidates), len(column) + 1))
    for row, each in zip(found, candidates, strict=True):
        for key, probability in each.top:
            row[column[key]] = probability
        row[0] = max(0.0, 1.0 - row.sum())
    return np.asarray(np.sqrt(found))


def _patients(candidates: Sequence[Candidate]) -> NDArray[np.int64]:
    """Patient of each candidate, (n,), as a number; a candidate without a patient is one of its own."""
    numbers: dict[tuple[str, str], int] = {}
    whose = [(each.patient, "" if each.patient else each.key) for each in candidates]
    return np.array([numbers.setdefault(one, len(numbers)) for one in whose], np.int64)
