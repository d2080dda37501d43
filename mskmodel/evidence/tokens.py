"""A text as the vocabulary sees it: small words without diacritics, numbers, and where one of them may begin."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import Final

__all__ = ["folded", "humps", "runs", "spelled_out"]

#: Letters that are no letter with a mark to Unicode, and are written as these where a keyboard lacks them.
_LETTERS: Final = str.maketrans(
    {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
#: The article in French and Italian, which is no L for left.
_ELISION: Final = re.compile(r"\b[dl]['\N{RIGHT SINGLE QUOTATION MARK}](?=[^\W\d_])", re.IGNORECASE)
_RUNS: Final = re.compile(r"[^\W\d_]+|\d+")


def folded(text: str) -> str:
    """The text in lower case and without diacritics: ``Fuß`` is ``fuss``, ``Łokieć`` is ``lokiec``."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_LETTERS)


def spelled_out(text: str) -> str:
    """A German text with its umlauts written out: ``Hüfte`` is ``huefte``."""
    return folded(unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS))


def runs(text: str) -> list[str]:
    """Runs of letters and runs of digits, in order; everything else only separates them. Case is as it was."""
    decomposed = unicodedata.normalize("NFKD", _ELISION.sub(" ", text))
    return _RUNS.findall("".join(letter for letter in decomposed if not unicodedata.combining(letter)))


def humps(run: str) -> list[str]:
    """The parts of a run of letters that begin where the case changes: ``KneeAP`` has two, ``APKnee`` too."""
    begins = [
        at
        for at in range(1, len(run))
        if run[at].isupper() and (run[at - 1].islower() or run[at + 1 : at + 2].islower())
    ]
    return [run[begin:end] for begin, end in pairwise([0, *begins, len(run)])]
