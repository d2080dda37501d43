"""Why an earlier examination is relevant, in words: mapped terms, never a header's own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from mskmodel.priors.likeness import OPPOSITE, OTHER, SAME, UNKNOWN, Likeness
from mskmodel.priors.picture import HEADER, PERSON, PIXELS, UNPAIRED, Picture
from mskmodel.priors.relevance import Prior

__all__ = ["reasons", "sentence"]

#: Words that people write in capitals.
_CAPITALS: Final = {"ap": "AP"}
_TOLD: Final = {PERSON: "told by a person", PIXELS: "told by its pixels", HEADER: "told by its header alone"}
#: Of a month, on average.
_MONTH: Final = 365.25 / 12


def sentence(prior: Prior) -> str:
    """All reasons: "same knee, same view, 14 months earlier; told by its pixels, the header says leg"."""
    why, told = _why(prior), _told(prior.best.prior)
    return f"{', '.join(why)}; {', '.join(told)}"


def reasons(prior: Prior) -> list[str]:
    """The reasons one by one."""
    return [*_why(prior), *_told(prior.best.prior)]


def _why(prior: Prior) -> list[str]:
    likeness, picture = prior.best.likeness, prior.best.prior
    found = [_region(likeness, picture.side)]
    if likeness.side == UNKNOWN:
        found.append("side not known")
    if not likeness.is_neighbour:
        found += {SAME: ["same view"], OTHER: ["another view"]}.get(likeness.view, [])
    if likeness.modality == OTHER:
        found.append(f"by {picture.modality}")
    return [*found, _age(prior.age)]


def _region(likeness: Likeness, side: str) -> str:
    region, beside = _words(likeness.region), _words(likeness.beside)
    if likeness.is_neighbour:
        is_told = likeness.side == SAME and likeness.beside not in UNPAIRED and likeness.region not in UNPAIRED
        return f"{beside} beside {region}{' of the same side' if is_told else ''}"
    if likeness.side == OPPOSITE:
        return f"{region} of the other side"
    if side == "B" and likeness.region not in UNPAIRED:
        return f"same {region}, both sides"
    return f"same {region}"


def _told(picture: Picture) -> list[str]:
    found = [_TOLD[picture.told_by]]
    if picture.told_by != HEADER and (said := _contradiction(picture)):
        found.append(f"the header says {said}")
    return found


def _contradiction(picture: Picture) -> str:
    """What the header says otherwise."""
    differing = [
        _either(said)
        for said, shown in ((picture.header_regions, picture.regions), (picture.header_views, picture.views))
        if said and shown and not set(said) & set(shown)
    ]
    return ", ".join(differing)


def _either(terms: Iterable[str]) -> str:
    return " or ".join(map(_words, terms))


def _words(term: str) -> str:
    return " ".join(_CAPITALS.get(word, word) for word in term.split("_"))


def _age(age: timedelta | None) -> str:
    if age is None:
        return "date not known"
    days = age.days
    for count, unit, least in (
        (round(days / 365.25), "year", 730),
        (round(days / _MONTH), "month", 60),
        (round(days / 7), "week", 14),
        (days, "day", 1),
    ):
        if days >= least:
            return f"{count} {unit}{'s' if count > 1 else ''} earlier"
    return "the same day"
