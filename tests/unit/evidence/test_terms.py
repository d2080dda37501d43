"""The terms that headers claim."""

from __future__ import annotations

import pytest

from mskmodel.evidence.terms import OTHER, REGION_TERMS, VIEW_TERMS
from mskmodel.labels import KEYS, parts_of


@pytest.mark.parametrize(("terms", "part"), [(REGION_TERMS, 0), (VIEW_TERMS, 1)])
def test_every_term_goes_with_what_classes_have_or_with_none_of_it(
    terms: dict[str, dict[str, float]], part: int
) -> None:
    parts = {parts_of(key)[part] for key in KEYS}

    for term, weights in terms.items():
        assert set(weights) <= parts | {OTHER}, term
        assert sum(weights.values()) == pytest.approx(1), term
        assert min(weights.values()) > 0, term
    assert parts <= set(terms)
