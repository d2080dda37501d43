"""Which earlier examinations are relevant beside the current one, in which order, and which pictures belong together.

The score of an examination is that of its picture that is most like one of the current ones, less for its age. Age
alone makes nothing irrelevant: readers want the last comparable study, however old (Siegel and Reiner 1998, J Digit
Imaging 11, 94-99).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mskmodel.priors.examination import Examination
from mskmodel.priors.likeness import OPPOSITE, OTHER, Likeness, Likenesses
from mskmodel.priors.neighbours import known_neighbours
from mskmodel.priors.picture import Picture

__all__ = ["THRESHOLD", "Pair", "Prior", "relevant"]

#: From this score on an examination is relevant.
THRESHOLD: Final = 0.2
#: What is left of a score after a very long time, and the time in which half of the rest is lost.
_LASTING: Final = 0.75
_HALF_LIFE: Final = timedelta(days=2 * 365.25)


@dataclass(frozen=True)
class Pair:
    """A picture of the current examination, and the one of an earlier one that hangs beside it."""

    current: Picture
    prior: Picture
    likeness: Likeness


@dataclass(frozen=True)
class Prior:
    """A relevant earlier examination. ``score``: `THRESHOLD`..1."""

    examination: Examination
    score: float
    #: The two pictures that are most alike: what the score is about.
    best: Pair
    #: Pictures to hang beside each other, each once, the most alike first; none where only the region is shared.
    pairs: tuple[Pair, ...]
    #: None where the date of one of them is unknown.
    age: timedelta | None


def relevant(current: Examination, others: Iterable[Examination]) -> list[Prior]:
    """Those of the others that are earlier and relevant, the most relevant first. Raises TableError."""
    likenesses = Likenesses(known_neighbours())
    found = []
    for other in others:
        if not other.is_earlier(current):
            continue
        age = current.taken_at - other.taken_at if current.taken_at and other.taken_at else None
        candidates = _candidates(current, other, likenesses)
        score = candidates[0].likeness.score * _recency(age) if candidates else 0.0
        if score >= THRESHOLD:
            found.append(Prior(other, score, candidates[0], _pairs(candidates), age))
    return sorted(found, key=lambda prior: (-prior.score, _days(prior.age), prior.examination.study))


def _candidates(current: Examination, other: Examination, likenesses: Likenesses) -> list[Pair]:
    """Every two pictures with anything in common, the most alike first."""
    likely = ((a, b, likenesses.of(a, b)) for a in current.pictures for b in other.pictures)
    pairs = [Pair(a, b, likeness) for a, b, likeness in likely if likeness.score > 0]
    return sorted(pairs, key=lambda pair: (-pair.likeness.score, pair.current.name, pair.prior.name))


def _pairs(candidates: Sequence[Pair]) -> tuple[Pair, ...]:
    """Greedily, each picture once: another view or the other side does not hang beside it."""
    taken: set[tuple[str, str]] = set()
    found = []
    for pair in candidates:
        names = {("current", pair.current.name), ("prior", pair.prior.name)}
        fits = pair.likeness.view != OTHER and pair.likeness.side != OPPOSITE and not pair.likeness.is_neighbour
        if fits and pair.prior.name and not taken & names:
            taken |= names
            found.append(pair)
    return tuple(found)


def _recency(age: timedelta | None) -> float:
    if age is None:
        return _LASTING
    return _LASTING + (1 - _LASTING) * float(0.5 ** max(age / _HALF_LIFE, 0.0))


def _days(age: timedelta | None) -> float:
    """Unknown comes last."""
    return float("inf") if age is None else age / timedelta(days=1)
