"""Headers and studies of a site that is made up around labelled radiographs, since real headers come with no labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION, VIEW, Claim, Claims
from mskmodel.evidence.terms import REGION_TERMS, VIEW_TERMS
from mskmodel.labels import parts_of

__all__ = ["ALWAYS_THE_SAME", "AT_RANDOM", "LIES", "SILENT", "STUDIES", "USUAL", "Habits", "Shown", "header", "shown"]
__all__ += ["studies"]

#: How wrong claims come about: any other region or view, or chest and AP whatever it is.
AT_RANDOM, ALWAYS_THE_SAME = "at random", "always the same"
LIES: Final = (AT_RANDOM, ALWAYS_THE_SAME)
#: How radiographs make up studies.
STUDIES: Final = ("single", "one joint", "two joints")

#: Stands for every region that no class has, and for every view.
_ELSEWHERE, _ANOTHER_VIEW = "chest", "oblique"


@dataclass(frozen=True)
class Habits:
    """How a site fills its headers. ``wrong``: share of the claims that are made. ``lie``: one of `LIES`."""

    wrong: float = 0.15
    lie: str = AT_RANDOM
    no_region: float = 0.25
    no_view: float = 0.4


#: As literature has them, and headers that say nothing.
USUAL: Final = Habits()
SILENT: Final = Habits(no_region=1.0, no_view=1.0)


@dataclass(frozen=True)
class Shown:
    """Terms of what a radiograph shows; no view where that is not known."""

    region: str
    view: str


def shown(label: str | None, shows: str, classes: Sequence[str]) -> Shown:
    """From the label of a radiograph or, where it is none of the classes, from words such as ``hand_oblique``.

    The first word that is a term of a region counts, and the first that is one of a view or its beginning; any region
    that no class has is the chest here.
    """
    if label is not None:
        return Shown(*parts_of(label))
    words = shows.casefold().replace("_", " ").split()
    regions = {parts_of(key)[0] for key in classes}
    views = (next((view for view in VIEW_TERMS if view == word or view[:3] == word), "") for word in words)
    region = next((word for word in words if word in REGION_TERMS), _ELSEWHERE)
    return Shown(region if region in regions else _ELSEWHERE, next((view for view in views if view), ""))


def header(true: Shown, habits: Habits, classes: Sequence[str], random: np.random.Generator) -> Claims:
    """What a header says of a radiograph.

    Wrong claims are drawn evenly from the other regions (those of the classes, and one that stands for all others) and
    from the other views (those of the classes and oblique), independently of each other.
    """
    parts = [parts_of(key) for key in classes]
    regions = tuple(dict.fromkeys([*(region for region, _ in parts), _ELSEWHERE]))
    views = tuple(dict.fromkeys([*(view for _, view in parts if view), _ANOTHER_VIEW]))
    said = []
    for kind, field, term, terms, silent, same in (
        (REGION, "body part", true.region, regions, habits.no_region, _ELSEWHERE),
        (VIEW, "view position", true.view, views, habits.no_view, "ap"),
    ):
        if random.random() < silent or not term:
            continue
        if random.random() < habits.wrong:
            others = [each for each in terms if each != term]
            term = str(random.choice(others)) if habits.lie == AT_RANDOM else same
        said.append(Claim(field, kind, (term,)))
    return Claims(tuple(said))


def studies(everything: Sequence[Shown], kind: str, random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Numbers of the radiographs of each study, so that each radiograph is of one. ``kind``: one of `STUDIES`.

    Pairs and threes of radiographs of one region, whatever their views, drawn at random; one that is left over stays
    alone. For two joints, two such groups of different regions make a study.
    """
    if kind == STUDIES[0]:
        return [np.array([number]) for number in range(len(everything))]
    groups: list[tuple[str, NDArray[np.int64]]] = []
    regions = np.array([one.region for one in everything])
    for region in np.unique(regions):
        rest = random.permutation(np.flatnonzero(regions == region))
        while len(rest):
            size = int(random.integers(2, 4))
            groups.append((str(region), rest[:size]))
            rest = rest[size:]
    if kind == STUDIES[1]:
        return [group for _, group in groups]
    waiting, found = [groups[number] for number in random.permutation(len(groups))], []
    while waiting:
        region, group = waiting.pop()
        partner = next((number for number, (other, _) in enumerate(waiting) if other != region), None)
        found.append(group if partner is None else np.concatenate([group, waiting.pop(partner)[1]]))
    return found
