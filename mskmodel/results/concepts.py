"""The codes of a report: public ones where there are any, and those of the coding scheme 99MSK."""

from __future__ import annotations

from functools import cache
from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.dicom.codes import SIDES
from mskmodel.labels import known_labels
from mskmodel.results.finding import CONFIRMED, CORRECTED, GIVEN, NOT_JUDGED
from mskmodel.results.plain_text import plain_text
from mskmodel.tables.label_cell import NONE

__all__ = [
    "JUDGED",
    "JUDGEMENTS",
    "LABEL_BY_MODEL",
    "MODALITIES",
    "NO_LABEL",
    "OUTCOME",
    "OUTCOMES",
    "SCHEME",
    "SIDES_BY",
    "SIDE_BY",
    "label_code",
    "region_code",
    "side_code",
    "view_code",
]

SCHEME: Final = "99MSK"


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


OUTCOME: Final = _own("outcome", "Outcome of labelling")
OUTCOMES: Final = {
    "labelled": _own("labelled", "Labelled"),
    "needs-review": _own("needs-review", "No label given: left to a person"),
    "failed": _own("failed", "Failed: not labelled"),
    "skipped": _own("skipped", "Not for this model"),
}
NO_LABEL: Final = _own("no-label", "No label given")
LABEL_BY_MODEL: Final = _own("label-by-model", "Label by the algorithm")
JUDGED: Final = _own("judged", "Judged by a person")
JUDGEMENTS: Final = {
    NOT_JUDGED: _own(NOT_JUDGED, "Not judged by a person"),
    CONFIRMED: _own(CONFIRMED, "Label confirmed by a person"),
    CORRECTED: _own(CORRECTED, "Label corrected by a person"),
    GIVEN: _own(GIVEN, "Label given by a person"),
}
SIDE_BY: Final = _own("side-by", "Side named by")
SIDES_BY: Final = {True: _own("person", "A person"), False: _own("header", "The header of the image")}
#: Modality (CID 29) by its term.
MODALITIES: Final[dict[str, Code]] = {
    code.value: code for code in (getattr(codes.cid29, name) for name in codes.cid29.dir())
}


def label_code(key: str) -> Code:
    """What an image shows, by the key of its label."""
    if key == NONE:
        return _own(NONE, "None of the classes")
    label = known_labels().get(key)
    return _own(key, plain_text(label.display if label else "", key))


def region_code(key: str | None, region: str) -> Code:
    """The anatomic region of a label, or of a region's term where the label has no code for it."""
    label = known_labels().get(key or "")
    anatomy = label.anatomy if label else None
    return anatomy or _regions().get(region) or _own(region, _spoken(region))


def view_code(key: str, view: str) -> Code:
    """The view of a label, or of a view's term where the label has no code for it."""
    label = known_labels().get(key)
    return (label.view_code if label else None) or _own(view, _spoken(view))


def _spoken(term: str) -> str:
    return plain_text(term.replace("_", " ").capitalize(), term)


def side_code(side: str) -> Code | None:
    """R, L or B as a code; None for an unknown side."""
    return SIDES.get(side)


@cache
def _regions() -> dict[str, Code]:
    return {label.region: label.anatomy for label in reversed(list(known_labels().values())) if label.anatomy}
