"""An examination: the pictures of one study, and when they were taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mskmodel.priors.picture import Picture

__all__ = ["Examination", "moment_of"]

#: The year in which X-rays were found: no date before it is one of a study.
_FIRST_YEAR: Final = 1895


@dataclass(frozen=True)
class Examination:
    """A study.

    ``study``: what the caller knows it by. ``taken_at``: without zone; midnight where only the day is known; None where
    nothing is.
    """

    study: str
    pictures: tuple[Picture, ...]
    taken_at: datetime | None = None

    @classmethod
    def of(cls, study: str, pictures: Iterable[Picture], taken_at: datetime | None) -> Examination:
        """Pictures whose side is unknown get the one of the other pictures of their region, where these agree.

        Not so the second picture of a view: it may well be the other side.
        """
        given = tuple(pictures)
        return cls(study, tuple(_with_side(one, given) for one in given), taken_at)

    def is_earlier(self, than: Examination) -> bool:
        """Whether it was taken before the other one, or may have been: the date of one of them is unknown."""
        if self.taken_at is None or than.taken_at is None:
            return True
        if self.taken_at.date() != than.taken_at.date():
            return self.taken_at < than.taken_at
        return self.taken_at <= than.taken_at or _is_midnight(than.taken_at)


def moment_of(text: str | None) -> datetime | None:
    """The moment of an ISO 8601 text without zone; None where it is none, or lies before there were X-rays."""
    try:
        moment = datetime.fromisoformat(text or "").replace(tzinfo=None)
    except ValueError:
        return None
    return moment if moment.year >= _FIRST_YEAR else None


def _with_side(picture: Picture, given: Iterable[Picture]) -> Picture:
    others = [one for one in given if one.side and one.regions == picture.regions]
    sides = {one.side for one in others}
    if picture.side or len(sides) != 1 or any(one.views == picture.views for one in others):
        return picture
    return replace(picture, side=sides.pop())


def _is_midnight(moment: datetime) -> bool:
    return moment == datetime.combine(moment.date(), datetime.min.time())
