"""How sure the pixels are that a header is wrong."""

from __future__ import annotations

import pytest

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.disagreement import disagreement
from mskmodel.labels import KEYS
from tests.unit.evidence.claims import says, sees


@pytest.mark.parametrize(
    ("claims", "low", "high"),
    [
        (Claims(), 0, 0),
        (says("knee", "lateral"), 0, 0.1),
        (says("knee", "ap"), 0.9, 1),
        (says("elbow"), 0.9, 1),
        (says("leg"), 0, 0.1),
        (says(view="ap+lateral"), 0, 0.1),
        (says("#0123456789ab"), 0, 0),
    ],
)
def test_the_score_is_what_the_pixels_give_to_what_the_header_excludes(claims: Claims, low: float, high: float) -> None:
    assert low <= disagreement(sees(0.04, knee_lateral=0.94), KEYS, claims) <= high


def test_none_of_the_classes_agrees_with_any_header_that_means_none() -> None:
    pixels = sees(0.9, hand_ap=0.05)

    assert disagreement(pixels, KEYS, says("chest")) < 0.11
    assert disagreement(pixels, KEYS, says("hand", "oblique")) < 0.11
    assert disagreement(pixels, KEYS, says("hand", "ap")) > 0.89


def test_either_of_two_fields_may_be_right() -> None:
    both = Claims(says("knee").claims + says("elbow", field="protocol").claims)

    assert disagreement(sees(0.04, knee_lateral=0.94), KEYS, both) < 0.1


def test_classes_that_no_term_is_for_contradict_nothing() -> None:
    assert disagreement(sees()[:3], ("thing_ap", "knee_ap"), says("knee")) == pytest.approx(0, abs=1)
