"""Which radiographs a person should look at next, so that the next training learns most from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heappushpop

__all__ = ["Candidate", "doubtful", "suggest"]

#: What a model's certainty still counts for where the header says something else: headers are wrong at times, too.
_CERTAINTY_AGAINST_HEADER = 0.5
#: So many times more candidates than are wanted are kept of each class, to choose different patients from.
_KEPT = 10
#: Difference of the two highest probabilities from which on nobody hesitates between them.
_CLEAR = 0.5
_NONE = "none of the classes"


@dataclass(frozen=True)
class Candidate:
    """A radiograph that nobody has said anything about, and what the model says of it.

    ``top``: the likeliest classes, five at most, with their calibrated probabilities, descending. What they leave over
    counts as the probability of none of the classes, which is a little too much where there are more classes.
    ``unlike``: none of the classes is the likeliest answer.
    ``header_disagrees``: the model gives a label, and the header names another body part or view.
    """

    key: str
    top: tuple[tuple[str, float], ...]
    unlike: bool = False
    header_disagrees: bool = False
    patient: str = ""

    @property
    def said(self) -> str | None:
        """The likeliest answer; None for none of the classes."""
        return None if self.unlike else self.top[0][0]

    @property
    def doubt(self) -> float:
        """From 0 to 1, where the two likeliest answers are equally likely."""
        certainty = self._margin * (_CERTAINTY_AGAINST_HEADER if self.header_disagrees else 1.0)
        return 1.0 - certainty

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
        """Between the two likeliest answers. None of the classes is one of them, and the first only if ``unlike``."""
        first = self.top[0][1]
        if self.unlike:
            return max(0.0, self._none - first)
        return first - max(self._second, min(self._none, first))


def doubtful(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """The most doubtful ones of each answer, enough for `suggest` to choose from; memory grows with ``count`` only."""
    heaps: dict[str | None, list[tuple[float, str, Candidate]]] = {}
    for each in candidates:
        heap = heaps.setdefault(each.said, [])
        entry = (each.doubt, each.key, each)
        if len(heap) < _KEPT * count:
            heappush(heap, entry)
        else:
            heappushpop(heap, entry)
    return [each for heap in heaps.values() for _, _, each in heap]


def suggest(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """``count`` of them at most, the one to look at first first: doubtful, and each unlike those before it.

    The same answer counts for less each time, and the same patient for much less: ten pictures of one knee teach
    little more than the first of them.
    """
    answers, patients = Counter[str | None](), Counter[str]()

    def entry(each: Candidate) -> tuple[float, str, Candidate]:
        known = patients[each.patient] if each.patient else 0
        return -each.doubt / (1 + answers[each.said]) / (1 + known) ** 2, each.key, each

    waiting = [entry(each) for each in candidates]
    heapify(waiting)
    chosen: list[Candidate] = []
    while waiting and len(chosen) < count:
        now = entry(heappop(waiting)[2])
        # Others only fall with what is chosen, so whoever is first by its present value is first of all.
        if waiting and waiting[0][:2] < now[:2]:
            heappush(waiting, now)
            continue
        chosen.append(now[2])
        answers[now[2].said] += 1
        patients[now[2].patient] += 1
    return chosen
