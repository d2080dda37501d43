"""What a radiograph may show."""

from __future__ import annotations

import numpy as np
import pytest

from mskmodel.evidence.claim import REGION, VIEW
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.labels import KEYS
from tests.unit.evidence.claims import sees


def test_splitting_none_of_the_classes_changes_no_class_and_can_be_undone() -> None:
    hypotheses = Hypotheses.of(KEYS)
    pixels = np.array([sees(0.6, hand_ap=0.3), sees(0.0, knee_ap=1.0), sees(1.0)])

    split = hypotheses.split(pixels)

    assert split.shape == (3, 13 + 7 + 1) == (3, len(hypotheses))
    assert np.array_equal(split[:, :13], pixels[:, :13])
    assert hypotheses.joined(split) == pytest.approx(pixels)


def test_what_looks_like_a_hand_and_is_none_of_the_classes_is_mostly_another_view_of_a_hand() -> None:
    hypotheses = Hypotheses.of(KEYS)

    split = hypotheses.split(sees(0.6, hand_ap=0.2, hand_lateral=0.1)[None])[0]

    others = dict(zip(hypotheses.regions, split[13:], strict=True))
    assert max((one for one in others if one != "other"), key=lambda one: others[one]) == "hand"
    assert others["hand"] > 5 * others["knee"]


def test_classes_of_any_name_have_hypotheses() -> None:
    hypotheses = Hypotheses.of(("wrist_ap", "wrist_oblique", "chest"))

    assert hypotheses.regions == ("wrist", "chest", "other")
    assert hypotheses.views == ("ap", "oblique", "other")
    assert hypotheses.membership(REGION).sum(axis=1).tolist() == [1] * len(hypotheses)
    assert hypotheses.membership(VIEW).sum(axis=1).tolist() == [1, 1, 0, 1, 1, 0]


def test_kinds_of_none_count_for_their_region_and_only_the_rest_is_split() -> None:
    hypotheses = Hypotheses.of(KEYS)
    pixels = sees(0.6, knee_ap=0.3)
    kinds = {"hand_oblique": 0.2, "wrist": 0.1, "several_views": 0.05, "chest": 0.05}

    split = hypotheses.split_by_kind(pixels, kinds)

    plain = hypotheses.split(np.append(pixels[:-1], 0.2)[None])[0]
    more = dict(zip(hypotheses.regions, split[13:] - plain[13:], strict=True))
    assert more["hand"] == pytest.approx(0.2, abs=0.02)
    assert more["other"] == pytest.approx(0.15)
    assert more["knee"] > 5 * more["elbow"] > 0, "several views are mostly of the joint that the classes look like"
    assert hypotheses.joined(split[None])[0] == pytest.approx(pixels)
    assert hypotheses.split_by_kind(pixels, {}).tobytes() == hypotheses.split(pixels[None])[0].tobytes()
