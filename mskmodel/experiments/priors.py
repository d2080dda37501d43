"""How well relevant priors are found: patients who are made up, judged by published rules, not by our own.

Every visit of a patient is read once, beside all earlier ones. Each of those is relevant or not, by what its films
truly show and `published_relevance`, and is offered or not, by what is told of them: right labels, the model's answers
to phantoms of the same views, or headers alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import combined
from mskmodel.evidence.terms import sure_region
from mskmodel.experiments.published_relevance import is_relevant
from mskmodel.experiments.simulated_patients import Film, Visit, patient
from mskmodel.labels import parts_of
from mskmodel.priors.examination import Examination
from mskmodel.priors.picture import Picture
from mskmodel.priors.relevance import Pair, Prior, relevant
from mskmodel.priors.sentence import sentence
from mskmodel.registry.decision import Classification, Decision

__all__ = ["ARMS", "MEASURES", "Counts", "Mistake", "Pixels", "Result", "run"]

#: Who tells what films show: right labels, the model by all evidence or by its pixels alone, headers alone.
_RIGHT, _ALL_EVIDENCE, _PIXELS, _HEADERS = "right labels", "model", "pixels", "headers"
ARMS: Final = (_RIGHT, _ALL_EVIDENCE, _PIXELS, _HEADERS)
#: What an answer is judged by: of the relevant earlier visits, those that are offered; the same where every film is of
#: a class; of the others, those that are left out, where a side that no header names is nobody's to know, and by true
#: sides; of the pairs of pictures, those that truly show one region, side and view.
_SENSITIVITY, _OF_CLASSES = "sensitivity", "sensitivity, classes"
_SPECIFICITY, _TRULY, _PAIRS = "specificity", "specificity, true sides", "pairs right"
MEASURES: Final = (_SENSITIVITY, _OF_CLASSES, _SPECIFICITY, _TRULY, _PAIRS)


@dataclass(frozen=True)
class Pixels:
    """A model's answers to phantoms by the pixels alone, by key of what these show; at least one of each of `VIEWS`."""

    classes: tuple[str, ...]
    decision: Decision
    answers: Mapping[str, Sequence[Classification]]


@dataclass(frozen=True)
class Counts:
    """Hits and cases by the names of `MEASURES`."""

    hits: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)

    def add(self, measure: str, hit: bool) -> None:
        """Count a case."""
        self.cases[measure] += 1
        self.hits[measure] += hit


@dataclass(frozen=True)
class Mistake:
    """An earlier visit that was missed, or offered wrongly. ``said``: the reasons, empty if it was not offered."""

    seed: int
    current: str
    earlier: str
    told: str
    said: str

    @property
    def is_miss(self) -> bool:
        """Whether it should have been offered."""
        return not self.said


@dataclass(frozen=True)
class Result:
    """What came of one arm: counts by seed, and every mistake."""

    counts: tuple[Counts, ...]
    mistakes: tuple[Mistake, ...]


def run(pixels: Pixels, patients: int, seeds: Iterable[int]) -> dict[str, Result]:
    """Every one of `ARMS`, on the same patients; so many of them for each seed."""
    found: dict[str, tuple[list[Counts], list[Mistake]]] = {arm: ([], []) for arm in ARMS}
    for seed in seeds:
        random = np.random.default_rng(seed)
        counts = {arm: Counts() for arm in ARMS}
        for _ in range(patients):
            visits = patient(pixels.classes, random)
            seen = {id(film): _drawn(pixels.answers[film.key], random) for visit in visits for film in visit.films}
            for arm in ARMS:
                told = [_told(arm, pixels, number, visit, seen) for number, visit in enumerate(visits)]
                found[arm][1].extend(_judge(visits, told, pixels.classes, counts[arm], seed))
        for arm in ARMS:
            found[arm][0].append(counts[arm])
    return {arm: Result(tuple(counted), tuple(mistakes)) for arm, (counted, mistakes) in found.items()}


def _drawn(answers: Sequence[Classification], random: np.random.Generator) -> Classification:
    return answers[int(random.integers(len(answers)))]


def _told(arm: str, pixels: Pixels, number: int, visit: Visit, seen: Mapping[int, Classification]) -> Examination:
    pictures = [_picture(arm, pixels, str(place), film, seen[id(film)]) for place, film in enumerate(visit.films)]
    return Examination.of(str(number), pictures, visit.at)


def _picture(arm: str, pixels: Pixels, name: str, film: Film, seen: Classification) -> Picture:
    """A film as it is told: of a label worker's answer there is a label, or the region where that is sure."""
    if arm in (_RIGHT, _HEADERS):
        return Picture.of(name, None, film.key if arm == _RIGHT else None, film.claims)
    claims = film.claims if arm == _ALL_EVIDENCE else Claims()
    answer = combined(np.array(seen.probabilities), pixels.classes, claims, kinds=dict(seen.kinds))
    label = pixels.decision.decide(answer.probabilities, pixels.classes).label if answer.pieces else seen.label
    region = sure_region(*max(answer.regions.items(), key=lambda each: each[1]))
    return Picture.of(name, None, label, film.claims, region=region)


def _judge(
    visits: Sequence[Visit], told: Sequence[Examination], classes: Sequence[str], counts: Counts, seed: int
) -> Iterator[Mistake]:
    """Count every earlier visit of every visit; yield the mistakes."""
    for number, current in enumerate(visits):
        offered = {int(prior.examination.study): prior for prior in relevant(told[number], told[:number])}
        for before, earlier in enumerate(visits[:number]):
            prior = offered.get(before)
            should = _is_relevant(current, earlier, told_sides=True)
            if should:
                counts.add(_SENSITIVITY, prior is not None)
            else:
                counts.add(_SPECIFICITY, prior is None)
            if should and all(film.key in classes for film in (*current.films, *earlier.films)):
                counts.add(_OF_CLASSES, prior is not None)
            if not _is_relevant(current, earlier, told_sides=False):
                counts.add(_TRULY, prior is None)
            for pair in prior.pairs if prior else ():
                counts.add(_PAIRS, _is_right(pair, current, earlier))
            if should != (prior is not None):
                yield _mistake(seed, current, earlier, told[before], prior)


def _is_relevant(current: Visit, earlier: Visit, *, told_sides: bool) -> bool:
    def sides(visit: Visit) -> list[tuple[str, str]]:
        return [(film.region, visit.told_side(film) if told_sides else film.side) for film in visit.films]

    return any(is_relevant(*one, *other) for one in sides(current) for other in sides(earlier))


def _is_right(pair: Pair, current: Visit, earlier: Visit) -> bool:
    """Whether two films truly show the same; a view without a name may be any."""
    one, other = current.films[int(pair.current.name)], earlier.films[int(pair.prior.name)]
    views = {parts_of(film.key)[1] for film in (one, other)} - {""}
    return (one.region, one.side) == (other.region, other.side) and len(views) < 2


def _mistake(seed: int, current: Visit, earlier: Visit, told: Examination, prior: Prior | None) -> Mistake:
    said = ", ".join(_said(picture) for picture in told.pictures)
    return Mistake(seed, _shown(current), _shown(earlier), said, sentence(prior) if prior else "")


def _said(picture: Picture) -> str:
    parts = (" or ".join(picture.regions), " or ".join(picture.views), picture.side, f"({picture.told_by or 'nobody'})")
    return " ".join(filter(None, parts))


def _shown(visit: Visit) -> str:
    return ", ".join(" ".join(filter(None, [film.key, film.side])) for film in visit.films)
