"""Claims and pixels for the tests of evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import BODY_PART, REGION, VIEW, Claim, Claims
from mskmodel.labels import KEYS

NONE = len(KEYS)


def says(region: str = "", view: str = "", group: str = "", field: str = BODY_PART) -> Claims:
    """What a header says: a region in ``field``, and a view."""
    said = []
    if region:
        said.append(Claim(field, REGION, tuple(region.split("+"))))
    if view:
        said.append(Claim("view position", VIEW, tuple(view.split("+"))))
    return Claims(tuple(said), group=group)


def sees(none: float = 0.05, **classes: float) -> NDArray[np.float64]:
    """Probabilities of the pixels; what is left goes to all classes alike."""
    found = np.zeros(len(KEYS) + 1)
    found[:NONE] = (1.0 - none - sum(classes.values())) / len(KEYS)
    found[NONE] = none
    for key, probability in classes.items():
        found[KEYS.index(key)] += probability
    return found
