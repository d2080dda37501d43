"""Keys of classes, and what a header claims, in the words that people read."""

from collections.abc import Iterable, Mapping
from typing import Any

from mskmodel.evidence.claim import Claims, is_code
from mskmodel.labels import known_labels
from mskmodel.tables.label_cell import NONE

__all__ = ["NONE_OF_THEM", "SIDES", "claimed", "display", "percent"]

NONE_OF_THEM = "None of the classes"
SIDES = {"R": "right", "L": "left", "B": "both sides"}
#: Views that people write in capitals.
CAPITALS = {"ap": "AP", "pa": "PA"}


def display(key: str | None) -> str:
    """What a class is called; None and `none` are none of the classes."""
    if key is None or key == NONE:
        return NONE_OF_THEM
    if label := known_labels().get(key):
        return label.display
    said = " ".join(CAPITALS.get(word, word) for word in key.replace("_", " ").split())
    return said[:1].upper() + said[1:]


def percent(share: float | None, digits: int = 0) -> str:
    """In percent; "" for none."""
    return "" if share is None else f"{share * 100:.{digits}f} %"


def claimed(claims: Mapping[str, Any]) -> str:
    """What a header says, in mapped terms; "" where it says nothing, or an outcome holds something else."""
    try:
        found = Claims.from_json(claims)
    except (KeyError, TypeError, AttributeError):
        return ""
    said = dict.fromkeys(_terms(one.terms) for one in found.claims)
    return ", ".join([*said, *([SIDES[found.side]] if found.side in SIDES else [])])


def _terms(terms: Iterable[str]) -> str:
    return " or ".join("a code of the site" if is_code(term) else display(term).lower() for term in terms)
