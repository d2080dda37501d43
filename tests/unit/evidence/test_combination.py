"""Pixels, header and study decide together."""

from __future__ import annotations

import numpy as np
import pytest

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import HEADER, SIBLINGS, Combined, Sibling, combined
from mskmodel.labels import KEYS
from tests.unit.evidence.claims import NONE, says, sees


def best(answer: Combined) -> str:
    return (*KEYS, "none")[answer.probabilities.argmax()]


@pytest.mark.parametrize("claims", [Claims(), says("#0123456789ab")])
def test_without_evidence_the_answer_is_exactly_the_pixels(claims: Claims) -> None:
    pixels = np.random.default_rng(1).dirichlet(np.ones(NONE + 1))

    answer = combined(pixels, KEYS, claims)

    assert answer.probabilities.tobytes() == pixels.tobytes()
    assert answer.pieces == {}
    assert sum(answer.regions.values()) == pytest.approx(1)
    assert answer.regions["knee"] == pytest.approx(
        pixels[[KEYS.index("knee_ap"), KEYS.index("knee_lateral")]].sum(), abs=0.1
    )


def test_a_header_decides_between_what_the_pixels_cannot_tell_apart() -> None:
    pixels = sees(0.05, knee_lateral=0.5, elbow_lateral=0.4)

    answer = combined(pixels, KEYS, says("elbow", "lateral"))

    assert best(answer) == "elbow_lateral"
    assert answer.probabilities.sum() == pytest.approx(1)
    assert answer.regions["elbow"] > 0.9
    assert set(answer.pieces) == {HEADER}
    assert answer.pieces[HEADER][KEYS.index("elbow_ap")] > 5 * answer.pieces[HEADER][KEYS.index("knee_ap")]


def test_a_header_does_not_overrule_sure_pixels() -> None:
    assert best(combined(sees(0.004, knee_lateral=0.99), KEYS, says("elbow", "ap"))) == "knee_lateral"


def test_fields_that_say_the_same_count_once() -> None:
    pixels = sees(0.1, knee_ap=0.4, ankle_ap=0.3)
    one = says("ankle")
    three = Claims(
        one.claims + says("ankle", field="protocol").claims + says("ankle", field="series description").claims
    )

    assert combined(pixels, KEYS, three).probabilities == pytest.approx(combined(pixels, KEYS, one).probabilities)


def test_a_field_that_says_nothing_takes_nothing_from_another() -> None:
    pixels = sees(0.1, knee_ap=0.4, ankle_ap=0.3)
    with_code = Claims(says("ankle").claims + says("#0123456789ab", field="protocol").claims)

    answer = combined(pixels, KEYS, with_code).probabilities

    assert answer == pytest.approx(combined(pixels, KEYS, says("ankle")).probabilities)


def test_two_views_may_both_be_meant() -> None:
    pixels = sees(0.2, knee_ap=0.3, knee_lateral=0.2)

    answer = combined(pixels, KEYS, says(view="ap+lateral")).pieces[HEADER]

    assert answer[KEYS.index("knee_ap")] == pytest.approx(answer[KEYS.index("knee_lateral")])
    assert answer[KEYS.index("knee_ap")] > 2 * answer[KEYS.index("shoulder_axillary")]


def test_another_region_or_view_speaks_for_none_of_the_classes() -> None:
    pixels = sees(0.4, hand_ap=0.5)

    for claims in (says("chest"), says("hand", "oblique")):
        assert combined(pixels, KEYS, claims).probabilities[NONE] > 0.7
    assert combined(pixels, KEYS, says("hand", "ap")).probabilities[NONE] < 0.2


@pytest.mark.parametrize("pixels", [np.eye(14)[3], np.eye(14)[13], np.full(14, 1 / 14)])
def test_extreme_pixels_give_numbers(pixels: np.ndarray) -> None:
    siblings = [Sibling(KEYS, row, says("wrist", "oblique")) for row in np.eye(14)]

    for claims in (says("knee", "lateral"), says("leg", "tunnel"), Claims()):
        answer = combined(pixels, KEYS, claims, siblings)

        assert np.isfinite(answer.probabilities).all()
        assert answer.probabilities.sum() == pytest.approx(1)
        assert len(answer.heard) < len(siblings)


def test_a_sibling_speaks_for_its_own_region_and_another_view() -> None:
    pixels = sees(0.05, knee_lateral=0.45, elbow_lateral=0.3, elbow_ap=0.1)
    sibling = Sibling(KEYS, sees(0.01, elbow_ap=0.97), Claims())

    answer = combined(pixels, KEYS, Claims(), [sibling])

    assert best(answer) == "elbow_lateral"
    assert answer.heard == (("elbow_ap", pytest.approx(0.97, abs=0.01)),)
    assert answer.pieces[SIBLINGS][KEYS.index("elbow_lateral")] > answer.pieces[SIBLINGS][KEYS.index("elbow_ap")] > 1
    assert answer.pieces[SIBLINGS][KEYS.index("knee_ap")] < 1


def test_a_person_speaks_for_a_sibling() -> None:
    pixels = sees(0.1, knee_lateral=0.4, elbow_lateral=0.3)
    said = Sibling(KEYS, sees(0.01, knee_ap=0.97), says("knee"), truth="elbow_ap")
    none = Sibling(KEYS, sees(0.01, knee_ap=0.97), says("knee"), truth="none")

    assert best(combined(pixels, KEYS, Claims(), [said])) == "elbow_lateral"
    assert combined(pixels, KEYS, Claims(), [said]).heard == (("elbow_ap", 1.0),)
    assert combined(pixels, KEYS, Claims(), [none]).heard == (("none", pytest.approx(1.0)),)


def test_many_siblings_say_more_than_one_and_less_than_each_for_itself() -> None:
    pixels = sees(0.2, knee_lateral=0.6)
    sibling = Sibling(KEYS, sees(0.01, elbow_ap=0.97), Claims())

    one, four, many = (combined(pixels, KEYS, Claims(), [sibling] * n).regions["elbow"] for n in (1, 4, 400))

    assert one < four < many < 1
    assert many == pytest.approx(combined(pixels, KEYS, Claims(), [sibling] * 8).regions["elbow"])


def test_a_study_of_two_joints_leaves_room_for_both() -> None:
    pixels = sees(0.05, knee_lateral=0.4, elbow_lateral=0.45)
    knee, elbow = (Sibling(KEYS, sees(0.01, **{key: 0.97}), Claims()) for key in ("knee_ap", "elbow_ap"))

    one, both = (combined(pixels, KEYS, Claims(), siblings).regions for siblings in ([knee], [knee, elbow]))

    assert one["knee"] > 0.9
    assert both["elbow"] == pytest.approx(0.45 / 0.85, abs=0.1)
    assert both["hand"] < 0.05


def test_the_order_of_siblings_does_not_count() -> None:
    siblings = [Sibling(KEYS, sees(0.01, **{key: 0.3 + 0.05 * n}), says("knee")) for n, key in enumerate(KEYS[:10])]

    forth, back = (combined(sees(), KEYS, Claims(), each) for each in (siblings, siblings[::-1]))

    assert forth.probabilities == pytest.approx(back.probabilities)
    assert forth.heard == back.heard


def test_versions_with_other_classes_understand_each_other() -> None:
    classes = ("wrist_ap", "wrist_lateral", "thing")
    pixels = np.array([0.3, 0.3, 0.2, 0.2])

    wrist = combined(pixels, classes, says("wrist", "lateral"))
    knee = combined(pixels, classes, says("knee"))
    sibling = combined(pixels, classes, Claims(), [Sibling((*KEYS, "wrist_ap"), np.eye(15)[13], Claims())])

    assert classes[wrist.probabilities.argmax()] == "wrist_lateral"
    assert knee.probabilities.argmax() == 3
    assert sibling.regions["wrist"] > 0.8
    # Nothing is known of things: no header speaks for or against them.
    assert wrist.pieces[HEADER][2] == pytest.approx(1)
    assert combined(pixels, KEYS[:3], says("knee")).probabilities.sum() == pytest.approx(1)


def test_a_region_is_as_likely_as_its_classes_and_kinds_together() -> None:
    pixels = sees(0.8, hand_ap=0.1)
    kinds = {"hand_oblique": 0.2, "wrist": 0.4, "chest": 0.1, "spine": 0.05}

    regions = combined(pixels, KEYS, kinds=kinds).regions

    assert sum(regions.values()) == pytest.approx(1)
    assert regions["wrist"] == pytest.approx(0.4)
    assert regions["chest"] == pytest.approx(0.1)
    assert regions["hand"] == pytest.approx(0.3, abs=0.04)
    told = combined(pixels, KEYS, says("hand", "oblique"), kinds=kinds).regions
    assert sum(told.values()) == pytest.approx(1)
    assert told["hand"] > 0.7
    assert told["wrist"] / told["chest"] == pytest.approx(4)


def test_what_a_sibling_shows_is_heard_by_its_kind() -> None:
    pixels = sees(0.1, knee_ap=0.45, elbow_ap=0.42)
    plain, elbow = (Sibling(KEYS, sees(0.95), Claims(), kinds=kinds) for kinds in ({}, {"elbow_oblique": 0.9}))

    knee, elbow_ap = KEYS.index("knee_ap"), KEYS.index("elbow_ap")
    before, after = (combined(pixels, KEYS, siblings=[one]).probabilities for one in (plain, elbow))
    assert before[knee] > before[elbow_ap]
    assert after[elbow_ap] > after[knee]
