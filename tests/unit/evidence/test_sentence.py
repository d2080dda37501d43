"""The sentence that says how an answer came about."""

from __future__ import annotations

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import Sibling, combined
from mskmodel.evidence.sentence import sentence
from mskmodel.labels import KEYS
from tests.unit.evidence.claims import says, sees

PIXELS = sees(0.04, knee_lateral=0.6, elbow_lateral=0.3)


def test_each_piece_of_evidence_is_told_and_what_comes_of_it() -> None:
    claims = says("elbow", "lateral")
    answer = combined(PIXELS, KEYS, claims, [Sibling(KEYS, sees(0.01, elbow_ap=0.98), Claims())])

    told = sentence(PIXELS, KEYS, claims, answer)

    probability = answer.probabilities[KEYS.index("elbow_lateral")]
    assert told == (
        "pixels: knee lateral 0.60; header says elbow, lateral; its sibling is an elbow AP 0.98: "
        f"elbow lateral {probability:.2f}"
    )


def test_without_evidence_the_pixels_alone_are_told() -> None:
    assert sentence(PIXELS, KEYS, Claims(), combined(PIXELS, KEYS)) == "pixels: knee lateral 0.60"
    assert sentence(sees(0.8), KEYS, Claims(), combined(sees(0.8), KEYS)) == "pixels: none of the classes 0.80"


def test_codes_are_not_told_and_many_siblings_are_counted() -> None:
    siblings = [Sibling(KEYS, sees(0.01, **{key: 0.98}), Claims()) for key in KEYS[:4]]
    siblings.append(Sibling(KEYS, sees(0.97), Claims()))
    claims = Claims(says("#0123456789ab", "ap+lateral").claims + says("lower_leg", field="protocol").claims)

    told = sentence(PIXELS, KEYS, claims, combined(PIXELS, KEYS, claims, siblings))

    assert "header says a code of the site, lower leg, AP or lateral; its siblings are" in told
    assert "#" not in told
    assert "and 2 more: " in told
    assert ", none of the classes" not in told
