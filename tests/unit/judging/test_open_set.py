"""The open-set classification rate: what it counts, and when a version is worse by it beyond chance."""

import numpy as np
import pytest

from mskmodel.judging.open_set import Open, chance_of_worse, oscr


def answers(right: list[bool], confidence: list[float], ours: list[bool]) -> Open:
    return Open(np.array(right), np.array(confidence), np.array(ours))


def test_it_is_the_share_of_pairs_in_which_an_image_is_right_and_surer_than_one_of_none_of_the_classes() -> None:
    some = answers([True, True, False, False, False], [0.9, 0.5, 0.95, 0.7, 0.4], [True, True, True, False, False])

    assert oscr(some) == pytest.approx((2 + 1 + 0) / 6)


def test_it_does_not_depend_on_the_scale_of_confidences() -> None:
    random = np.random.default_rng(0)
    some = Open(random.random(80) < 0.7, random.random(80), random.random(80) < 0.6)

    assert oscr(some) == oscr(Open(some.right, some.confidence**3 / 2, some.ours))


def test_a_worse_version_is_told_from_one_that_differs_by_chance() -> None:
    random = np.random.default_rng(0)
    ours = np.arange(60) < 40
    sure = np.where(ours, 0.7, 0.3) + random.normal(0, 0.2, 60)
    old = Open(np.full(60, True), sure, ours)
    worse = Open(np.full(60, True), np.where(ours, 0.5, 0.5) + random.normal(0, 0.2, 60), ours)
    alike = Open(np.full(60, True), sure + random.normal(0, 0.02, 60), ours)

    assert chance_of_worse(old, worse) < 0.01
    assert chance_of_worse(old, alike) > 0.05
    assert chance_of_worse(old, old) == 1
    assert not Open(old.right, sure, np.arange(60) < 57).is_enough
