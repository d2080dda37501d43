"""One sentence that says how an answer came about, in mapped terms, never in a header's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION, VIEW, Claims, is_code
from mskmodel.evidence.combination import Combined
from mskmodel.tables.label_cell import NONE

__all__ = ["sentence"]

_NONE, _CODE = "none of the classes", "a code of the site"
#: So many siblings are named.
_NAMED: Final = 3
#: Views that people write in capitals.
_CAPITALS: Final = {"ap": "AP"}


def sentence(pixels: NDArray[np.float64], classes: Sequence[str], claims: Claims, answer: Combined) -> str:
    """What each piece of evidence says, and all together, from `combined` of these pixels and claims.

    "pixels: knee lateral 0.66; header says elbow, lateral; its sibling is an elbow AP 0.98: elbow lateral 0.93".
    Without claims and siblings, what the pixels say alone.
    """
    names = (*classes, NONE)
    parts = [f"pixels: {_shown(names, pixels)}"]
    if said := _said(claims):
        parts.append(f"header says {said}")
    if answer.heard:
        parts.append(_kin(answer.heard))
    found = "; ".join(parts)
    return found if len(parts) == 1 else f"{found}: {_shown(names, answer.probabilities)}"


def _shown(names: Sequence[str], probabilities: NDArray[np.float64]) -> str:
    best = int(probabilities.argmax())
    return f"{_words(names[best])} {probabilities[best]:.2f}"


def _words(key: str) -> str:
    return _NONE if key == NONE else " ".join(_CAPITALS.get(word, word) for word in key.split("_"))


def _said(claims: Claims) -> str:
    found: dict[str, None] = {}
    for kind in (REGION, VIEW):
        for one in claims.claims:
            if one.kind == kind:
                found[" or ".join(_CODE if is_code(term) else _words(term) for term in one.terms)] = None
    return ", ".join(found)


def _kin(heard: Sequence[tuple[str, float]]) -> str:
    named = [f"{_article(key)}{_words(key)} {probability:.2f}" for key, probability in heard[:_NAMED]]
    if len(heard) == 1:
        return f"its sibling is {named[0]}"
    if len(heard) > _NAMED:
        named.append(f"{len(heard) - _NAMED} more")
    return f"its siblings are {', '.join(named[:-1])} and {named[-1]}"


def _article(key: str) -> str:
    if key == NONE:
        return ""
    return "an " if key[0] in "aeiou" else "a "
