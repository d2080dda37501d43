"""Patients who come again: visits with films of joints, and headers that are right, wrong or silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from mskmodel.evidence.claim import Claims
from mskmodel.experiments.simulated_site import Habits, Shown, header
from mskmodel.experiments.suggestion import ARCHIVE
from mskmodel.labels import BY_KEY
from mskmodel.priors.picture import UNPAIRED

__all__ = ["HABITS", "VIEWS", "Film", "Visit", "patient"]

#: Of four headers, about one says nothing of the region, and of the others two in five lie: half of them are of no use.
HABITS: Final = Habits(wrong=0.4, no_region=0.25, no_view=0.4)
#: What films show: every label of one region.
VIEWS: Final = tuple(key for key, label in BY_KEY.items() if label.region)
#: Share of visits whose device names no side, and of films without one where it does.
_SILENT_VISITS, _SILENT_FILMS = 0.2, 0.1
#: Why a patient comes again: for the same complaint, for the other side of it, or for anything else.
_SAME, _OTHER_SIDE = 0.5, 0.15
_FIRST: Final = datetime(2015, 1, 1, 12)


@dataclass(frozen=True)
class Film:
    """One film. ``side``: the true one, ``""`` for a region that has none; the claims' side is right or absent."""

    key: str
    side: str
    claims: Claims

    @property
    def region(self) -> str:
        """The true one."""
        return BY_KEY[self.key].region


@dataclass(frozen=True)
class Visit:
    """A study."""

    at: datetime
    films: tuple[Film, ...]

    def told_side(self, film: Film) -> str:
        """The side of a film, as far as any film of that joint names it."""
        told = any(each.claims.side for each in self.films if (each.region, each.side) == (film.region, film.side))
        return film.side if told else ""


def patient(classes: Sequence[str], random: np.random.Generator) -> tuple[Visit, ...]:
    """3 to 8 visits in the order of time; regions are as frequent as in a hospital.

    ``classes``: among their regions and views headers lie.
    """
    regions = [BY_KEY[key].region for key in ARCHIVE]
    complaint = _joint(regions, random)
    at, visits = _FIRST, []
    for _ in range(int(random.integers(3, 9))):
        at += timedelta(days=float(random.exponential(200)) + 1)
        chance = random.random()
        joint = complaint if chance < _SAME else _joint(regions, random)
        if _SAME <= chance < _SAME + _OTHER_SIDE and complaint[1]:
            joint = complaint[0], "L" if complaint[1] == "R" else "R"
        joints = [joint, *([_joint(regions, random)] if random.random() < _OTHER_SIDE else [])]
        visits.append(Visit(at, _films(joints, classes, random)))
    return tuple(visits)


def _joint(regions: Sequence[str], random: np.random.Generator) -> tuple[str, str]:
    region = str(random.choice(regions))
    return region, "" if region in UNPAIRED else str(random.choice(["R", "L"]))


def _films(joints: Sequence[tuple[str, str]], classes: Sequence[str], random: np.random.Generator) -> tuple[Film, ...]:
    is_silent = random.random() < _SILENT_VISITS
    films = []
    for region, side in joints:
        views = [key for key in VIEWS if BY_KEY[key].region == region]
        for key in random.permutation(views)[: random.integers(1, 4)]:
            claims = header(Shown(region, BY_KEY[key].view), HABITS, classes, random)
            says_side = side if not is_silent and random.random() >= _SILENT_FILMS else ""
            films.append(Film(str(key), side, Claims(claims.claims, says_side)))
    return tuple(films)
