"""How sure the pixels are that a header is wrong. It finds wrong headers; it does not decide anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import REGION, VIEW, Claims
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.reliability import term_of
from mskmodel.evidence.shrinkage import goes_with, is_known

__all__ = ["disagreement"]


def disagreement(pixels: NDArray[np.float64], classes: Sequence[str], claims: Claims) -> float:
    """What (classes + 1,) probabilities of the pixels give to regions and views that no claimed term goes with, 0..1.

    A site's own codes claim nothing here. None of the classes contradicts a header only if all that it is made of does:
    neither "chest" nor "hand, oblique" is wrong where the pixels see none of the classes.
    """
    hypotheses = Hypotheses.of(tuple(classes))
    possible = np.ones(len(hypotheses), bool)
    for kind in (REGION, VIEW):
        terms = [term_of(one) for one in claims.claims if one.kind == kind]
        goes = np.array([goes_with(term, kind, hypotheses.axis(kind)) for term in terms if is_known(term, kind)])
        if len(goes):
            # What nothing is known of may be meant.
            named = ((goes > 0) | np.isnan(goes)).any(axis=0)
            possible &= hypotheses.spread(named[None].astype(float), kind, 1.0)[0] > 0
    agrees = np.append(possible[: len(classes)], possible[len(classes) :].any())
    return float(np.clip(pixels[~agrees].sum(), 0.0, 1.0))
