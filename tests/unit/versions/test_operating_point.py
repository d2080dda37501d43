"""The operating point that a version gets from few hard corrections and a sample of the archive."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mskmodel.registry.decision import Decision
from mskmodel.versions.operating_point import Answered, Rates, brought_to, calibrated_for

CLASSES, NONE = 4, 4
START = Decision(threshold=0.6)


class Site:
    """An archive of 900 images, a third of them of none of the classes, and what two versions say of it.

    Both see the truth through noise of their own, the new one through less.
    ``corrected``: 60 images of which the one before is unsure; ``sample``: 300 of the others.
    """

    def __init__(self, seed: int, noise_before: float = 2.0, noise_new: float = 1.2) -> None:
        random = np.random.default_rng(seed)
        self.labels = np.where(random.random(900) < 1 / 3, NONE, random.integers(0, CLASSES, 900))
        signal = 4 * np.eye(CLASSES + 1)[self.labels]
        self.before, self.new = (
            (signal + random.normal(0, noise, signal.shape)).astype(np.float32) for noise in (noise_before, noise_new)
        )
        probabilities = np.sort(START.probabilities(self.before), axis=1)
        doubt = 1 - (probabilities[:, -1] - probabilities[:, -2])
        self.corrected = random.choice(900, 60, replace=False, p=doubt / doubt.sum())
        self.rest = np.setdiff1d(np.arange(900), self.corrected)
        self.sample = random.choice(self.rest, 300, replace=False)

    def answered(self, sample: NDArray[np.int64] | None = None) -> Answered:
        asked = self.sample if sample is None else sample
        rows = np.concatenate([self.corrected, asked])
        labels = np.concatenate([self.labels[self.corrected], np.full(len(asked), -1)])
        weights = np.concatenate([np.full(60, float(not len(asked))), np.ones(len(asked))])
        before = brought_to("abcd", self.before[rows], "abcd", START)
        return Answered(before, START.threshold, self.new[rows], labels, weights)

    def rates(self, logits: NDArray[np.float32], decision: Decision) -> tuple[Rates, float]:
        """What a version really achieves on all that nobody corrected; and the share of right labels given."""
        probabilities, labels = decision.probabilities(logits[self.rest]), self.labels[self.rest]
        given = decision.gives_label(probabilities)
        right = given & (probabilities[:, :-1].argmax(axis=1) == labels)
        none = labels == NONE
        return Rates(float(given[none].mean()), float(right.sum() / given.sum())), float(right[~none].mean())


def test_a_better_version_labels_no_more_of_none_of_the_classes_and_gives_more_right_labels() -> None:
    more_of_none, more_right = [], []
    for seed in range(10):
        site = Site(seed)
        point = calibrated_for(site.answered(), START)
        (before, given_before), (now, given_now) = (
            site.rates(site.before, START),
            site.rates(site.new, point.decision),
        )
        more_of_none.append(now.none_labelled - before.none_labelled)
        more_right.append(given_now - given_before)

    assert np.mean(more_of_none) < 0.03
    assert np.mean(more_right) > 0.05


def test_what_is_estimated_from_images_without_a_truth_is_near_the_truth() -> None:
    points = [(Site(seed), calibrated_for(Site(seed).answered(), START)) for seed in range(10)]

    wrong = [
        (
            point.achieved.none_labelled - site.rates(site.new, point.decision)[0].none_labelled,
            point.achieved.labels_right - site.rates(site.new, point.decision)[0].labels_right,
        )
        for site, point in points
    ]

    none_labelled, labels_right = np.abs(np.mean(wrong, axis=0))
    assert none_labelled < 0.025
    assert labels_right < 0.05


def test_a_site_may_say_what_it_wants_in_place_of_what_the_version_before_does() -> None:
    site = Site(1)
    usual, strict = (calibrated_for(site.answered(), START, share) for share in (None, 0.01))
    surer = calibrated_for(site.answered(), START, None, 0.97)

    assert (strict.wanted.none_labelled, strict.wanted.labels_right) == (0.01, usual.wanted.labels_right)
    assert strict.achieved.none_labelled <= 0.01 < usual.achieved.none_labelled
    assert strict.decision.threshold > usual.decision.threshold
    assert surer.achieved.labels_right >= 0.97 > usual.wanted.labels_right


def test_the_same_version_again_keeps_its_operating_point() -> None:
    changes = []
    for seed in range(10):
        site = Site(seed)
        site.new = site.before
        point = calibrated_for(site.answered(), START)
        was, now = (site.rates(site.before, decision)[0] for decision in (START, point.decision))
        changes.append(now.none_labelled - was.none_labelled)

    assert abs(np.mean(changes)) < 0.03


def test_with_nothing_left_in_the_archive_the_corrections_stand_for_it() -> None:
    site = Site(3)

    point = calibrated_for(site.answered(np.zeros(0, np.int64)), START)

    assert point.achieved.none_labelled <= point.wanted.none_labelled
    assert 0.5 <= point.decision.threshold < 1


def test_a_version_before_that_labels_nothing_sets_no_example() -> None:
    site = Site(4)
    silent = replace(site.answered(), threshold=1.1)

    point = calibrated_for(silent, START)

    assert point.wanted == Rates(0.1, 0.9)
    assert 0 < point.achieved.none_labelled <= 0.1


def test_answers_are_brought_to_other_classes() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.1, 0.1]])).astype(np.float32)

    found = np.exp(brought_to(("b", "new", "a"), logits, ("a", "b", "gone"), Decision())[0])

    np.testing.assert_allclose(found, [0.3, 0.0, 0.5, 0.2], atol=1e-6)
    scaled = brought_to("abc", logits, "abc", Decision(temperature=0.5, none_shift=1.0))
    np.testing.assert_allclose(
        Decision().probabilities(scaled), Decision(temperature=0.5, none_shift=1.0).probabilities(logits), atol=1e-6
    )


@pytest.mark.parametrize("count", [1, 5])
def test_few_corrections_leave_the_same_version_where_it_was(count: int) -> None:
    changes = []
    for seed in range(10):
        site = Site(seed)
        site.new = site.before
        answered = site.answered()
        few = replace(answered, labels=np.where(np.arange(360) < count, answered.labels, -1))
        point = calibrated_for(few, START)
        was, now = (site.rates(site.before, decision)[0] for decision in (START, point.decision))
        changes.append(now.none_labelled - was.none_labelled)

    assert np.abs(changes).max() < 0.05
