"""Intervals: equal to the literature's, never without width, and right as often as they say."""

import numpy as np
import pytest

from mskmodel.judging.intervals import auroc_interval, mean_of_rates, wilson


def test_wilsons_interval_is_that_of_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 1 of 29.
    for hits, of, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        interval = wilson(hits, of)
        assert interval is not None
        assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert wilson(0, 0) is None


def test_without_a_mistake_in_few_pictures_intervals_are_still_wide() -> None:
    share, mean, area = wilson(10, 10), mean_of_rates(np.array([5, 5]), np.array([5, 5])), auroc_interval(1.0, 10, 10)

    assert share is not None
    assert mean is not None
    for interval in (share, mean, area):
        assert 0.6 < interval.low < 0.9
        assert interval.high == 1


def test_the_interval_of_the_mean_is_drawn_within_each_class_and_reproducible() -> None:
    interval = mean_of_rates(np.array([80, 5, 0]), np.array([100, 10, 0]))

    assert interval == mean_of_rates(np.array([80, 5, 0]), np.array([100, 10, 0]))
    assert interval is not None
    # The standard error of (0.8 + 0.5) / 2 is half the root of 0.8 * 0.2 / 100 + 0.5 * 0.5 / 10.
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * 0.0816, rel=0.1)
    assert mean_of_rates(np.array([0]), np.array([0])) is None


def test_the_interval_of_an_area_contains_the_true_area_as_often_as_it_says() -> None:
    random, true = np.random.default_rng(0), 0.8556  # of two normal distributions 1.5 apart
    held = 0
    for _ in range(300):
        higher = random.normal(1.5, 1, 60)[:, None] > random.normal(0, 1, 60)
        interval = auroc_interval(float(higher.mean()), 60, 60)
        held += interval.low <= true <= interval.high

    assert 0.92 < held / 300 < 0.98
