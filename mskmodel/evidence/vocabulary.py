"""What the words of hospitals mean: the table ``words.csv``, and a text read by it.

Columns of the table: the word or phrase; its languages (``mul`` for what all use, ``la`` for Latin, ``dicom`` for
defined terms, ``name`` for a projection called after a person); its kind; its meaning; whether it is sure; where it is
from. Kinds: ``region``, ``view`` and ``side``, whose meaning is one or more terms; ``several``, with ``region:hand
view:ap``, whose region counts where nothing else names one; ``nothing`` for what is known and claims nothing;
``negation``, which takes back what comes next.

A word that is not sure is an ordinary word elsewhere (``main`` is a hand in French), or a surname: it counts beside
another word of its language, or where nothing else in the text is unknown or of another language.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from mskmodel.evidence.tokens import folded, humps, runs, spelled_out

__all__ = ["TABLE", "Understood", "Vocabulary", "Word", "finest_regions", "vocabulary"]

#: The table, beside this module.
TABLE: Final = "words.csv"
#: Languages that tell nothing of the text's language.
_NEUTRAL: Final = frozenset({"mul", "la", "dicom", "name"})
#: Terms that say nothing more where a finer one is named too.
_COARSE_REGIONS: Final = frozenset({"arm", "leg", "limb", "spine", "whole_body"})
_COARSE_VIEWS: Final = frozenset({"stress"})
#: What an axial view of these is called.
_AXIAL_OF: Final = {"shoulder": "axillary", "patella": "skyline", "knee": "skyline"}
#: The most words of a text that are looked at, and how many words after a negation it reaches.
_MOST_RUNS, _REACH = 64, 3
#: The shortest part of a compound, the shortest that claims nothing, and those that may be shorter.
_SHORTEST_PART: Final = 3
_SHORTEST_FILLER: Final = 5
_SHORT_PARTS: Final = frozenset({"ap", "pa", "dp"})
#: Texts that are remembered.
_REPEATED: Final = 1024
#: The most letters that a compound has.
_LONGEST_COMPOUND: Final = 40


@dataclass(frozen=True)
class Word:
    """One row of the table."""

    text: str
    languages: frozenset[str]
    kind: str
    sure: bool = True
    regions: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    sides: frozenset[str] = frozenset()

    @property
    def claims(self) -> bool:
        """Whether it says anything of region or view."""
        return bool(self.regions or self.views)


@dataclass(frozen=True)
class Understood:
    """What a text says, in terms; empty where it says nothing that is known."""

    regions: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    #: ``R``, ``L``, ``B``.
    sides: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Found:
    """What stands at one place of a text: the words that it may be; none of them for a run that is not known."""

    words: tuple[Word, ...] = ()

    @property
    def languages(self) -> frozenset[str]:
        return frozenset().union(*(word.languages for word in self.words))

    @property
    def is_neutral(self) -> bool:
        return bool(self.languages & _NEUTRAL) or not any(word.sure for word in self.words)


class Vocabulary:
    """Words and phrases by their folded runs."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._words: dict[tuple[str, ...], list[Word]] = {}
        for word in words:
            for spelling in _spellings(word):
                self._words.setdefault(spelling, []).append(word)
        self._longest = max(map(len, self._words), default=0)
        #: The files of a site repeat few texts.
        self._repeated = lru_cache(_REPEATED)(self._understood)

    def understood(self, text: str) -> Understood:
        """What the text says. Longest phrases first; what is not known says nothing."""
        return self._repeated(text)

    def _understood(self, text: str) -> Understood:
        found = list(self._found(self._parts(text)))
        counting = _not_negated([_counting(found, at) for at in range(len(found))])
        named = frozenset().union(*(word.regions for word in counting if word.kind == "region"))
        implied = frozenset().union(*(word.regions for word in counting if word.kind == "several"))
        regions = finest_regions(named or implied)
        views = frozenset().union(*(word.views for word in counting))
        if "axial" in views:
            views = _axial_named(views, regions)
        sides = frozenset().union(*(word.sides for word in counting))
        return Understood(regions, _finest(views, _COARSE_VIEWS), sides)

    def _parts(self, text: str) -> list[str]:
        """The runs of a text, folded; those that are not known in parts, where all parts are known."""
        parts: list[str] = []
        for run in runs(text)[:_MOST_RUNS]:
            small = folded(run)
            if run.isdigit() or (small,) in self._words:
                parts.append(small)
            elif compound := self._compound(small):
                parts += compound
            else:
                parts += map(folded, humps(run))
        return parts

    def _compound(self, run: str) -> list[str]:
        """The two or three known words of one language that a run is made of, a region among them, or nothing."""
        for parts in _cuts(run):
            words = [self._parts_of_compounds(part) for part in parts]
            regions = [any(word.kind == "region" for word in one) for one in words]
            if sum(regions) == 1 and _share_a_language(words):
                return parts
        return []

    def _parts_of_compounds(self, part: str) -> list[Word]:
        """The words that such a part may be; short ones would be found in any text."""
        words = self._words.get((part,), ())
        if len(part) < _SHORTEST_PART and part not in _SHORT_PARTS:
            return []
        return [word for word in words if word.sure and (word.kind != "nothing" or len(part) >= _SHORTEST_FILLER)]

    def _found(self, parts: Sequence[str]) -> Iterator[_Found]:
        at = 0
        while at < len(parts):
            for length in range(min(self._longest, len(parts) - at), 0, -1):
                if words := self._words.get(tuple(parts[at : at + length])):
                    yield _Found(tuple(words))
                    at += length
                    break
            else:
                if not parts[at].isdigit():
                    yield _Found()
                at += 1


def _cuts(run: str) -> Iterator[list[str]]:
    """Every way to cut a run in two, then in three."""
    length = len(run) if len(run) <= _LONGEST_COMPOUND else 0
    for at in range(2, length - 1):
        yield [run[:at], run[at:]]
    for first in range(2, length - 3):
        for second in range(first + 2, length - 1):
            yield [run[:first], run[first:second], run[second:]]


def _share_a_language(parts: Sequence[Sequence[Word]]) -> bool:
    spoken = [frozenset().union(*(word.languages for word in words)) for words in parts]
    told = [languages for languages in spoken if not languages & _NEUTRAL]
    return all(parts) and (not told or bool(frozenset.intersection(*told)))


def _counting(found: Sequence[_Found], at: int) -> tuple[Word, ...]:
    """The words at this place that count, given the others: those of a language that is spoken, else the sure ones."""
    words = found[at].words
    others = [one for place, one in enumerate(found) if place != at]
    languages = frozenset().union(*(one.languages for one in others)) - _NEUTRAL
    if any(word.languages & languages for word in words):
        return tuple(word for word in words if word.languages & (languages | _NEUTRAL))
    known = all(one.words for one in others)
    neutral = known and all(one.is_neutral for one in others)
    certain = known and any(word.sure for one in others for word in one.words)
    return tuple(
        word for word in words if word.sure or (certain or not others if "name" in word.languages else neutral)
    )


def _not_negated(places: Sequence[tuple[Word, ...]]) -> list[Word]:
    """All words but the claim that follows a negation."""
    kept: list[Word] = []
    reach = 0
    for words in places:
        claims = any(word.claims for word in words)
        if reach and claims:
            reach = 0
            continue
        reach = _REACH if any(word.kind == "negation" for word in words) else max(reach - 1, 0)
        kept += words
    return kept


def _axial_named(views: frozenset[str], regions: frozenset[str]) -> frozenset[str]:
    """The views with the axial one under the name that it has for these regions, if it has one name."""
    named = views & frozenset(_AXIAL_OF.values()) or {_AXIAL_OF.get(region, "axial") for region in regions}
    return views - {"axial"} | named if len(named) == 1 else views


def finest_regions(terms: frozenset[str]) -> frozenset[str]:
    """The terms without coarse ones, such as ``leg``, where a finer one is among them."""
    return _finest(terms, _COARSE_REGIONS)


def _finest(terms: frozenset[str], coarse: frozenset[str]) -> frozenset[str]:
    return terms - coarse or terms


def _spellings(word: Word) -> set[tuple[str, ...]]:
    texts = [word.text, spelled_out(word.text)] if "de" in word.languages else [word.text]
    return {tuple(folded(run) for run in runs(text)) for text in texts}


def _word(row: dict[str, str]) -> Word:
    kind, terms = row["kind"], row["meaning"].split()
    word = Word(row["word"], frozenset(row["language"].split()), kind, sure=row["sure"] == "yes")
    if kind == "several":
        parts = [term.partition(":")[::2] for term in terms]
        meant = {f"{part}s": frozenset(term for kind, term in parts if kind == part) for part in ("region", "view")}
    else:
        meant = {f"{kind}s": frozenset(terms)} if terms else {}
    return Word(word.text, word.languages, kind, word.sure, **meant)


@cache
def vocabulary() -> Vocabulary:
    """The table that ships."""
    rows = files(__package__).joinpath(TABLE).read_text("utf-8").splitlines()
    return Vocabulary(_word(row) for row in csv.DictReader(rows))
