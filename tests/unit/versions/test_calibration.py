"""Calibration: temperature, Platt scaling and threshold, fitted to a hold-out."""

import numpy as np
import pytest

from mskmodel.judging.evaluation import score
from mskmodel.registry.decision import Decision
from mskmodel.versions.calibration import calibrated, calibrated_with_none
from tests.drawn_pictures import CLASSES


def test_overconfident_logits_are_cooled_and_the_threshold_keeps_mistakes_out() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    logits = random.normal(0, 6, (600, 4)).astype(np.float32)
    logits[np.arange(600), labels] += 12

    decision = calibrated(logits, labels)

    assert decision.temperature > 1.2
    figures = score(logits, labels, ("a", "b", "c"), decision)
    raw = score(logits, labels, ("a", "b", "c"), Decision())
    assert figures.calibration_error is not None
    assert raw.calibration_error is not None
    assert figures.calibration_error < raw.calibration_error
    assert figures.accuracy_when_answered is not None
    assert figures.accuracy_when_answered >= 0.97


def test_kinds_of_none_of_the_classes_are_calibrated_as_none_of_them() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 300)
    logits = (random.normal(0, 3, (300, 4)) + 6 * np.eye(4)[labels]).astype(np.float32)
    by_kind = np.where(labels == 3, random.integers(3, 8, 300), labels)

    assert calibrated(logits, by_kind) == calibrated(logits, labels)
    assert calibrated_with_none(logits, by_kind, 0.5) == calibrated_with_none(logits, labels, 0.5)
    assert score(logits, by_kind, ("a", "b", "c"), Decision()) == score(logits, labels, ("a", "b", "c"), Decision())


def test_none_of_the_classes_is_calibrated_to_its_frequency_and_to_its_evidence() -> None:
    random = np.random.default_rng(0)
    # With unit noise and a signal of 2, twice the evidence is the right logit where all three are equally frequent.
    labels = np.where(random.random(3000) < 2 / 3, 2, random.integers(0, 2, 3000))
    evidence = 2 * (random.normal(0, 1, (3000, 3)) + 2 * np.eye(3)[labels])
    # Twice as sure of none of the classes as it should be, and four thirds as sure of a class.
    classes, odds = evidence[:, :2] * 4 / 3, evidence[:, 2] - np.logaddexp.reduce(evidence[:, :2], axis=1)
    none = np.logaddexp.reduce(classes, axis=1) + 2 * odds
    logits = np.column_stack([classes, none]).astype(np.float32)

    decision = calibrated_with_none(logits, labels, 0.5)

    assert decision.temperature == pytest.approx(4 / 3, rel=0.15)
    confidence = decision.probabilities(logits)
    frequency = np.bincount(labels)
    prior = np.log(2 * frequency[2] / (frequency[0] + frequency[1]))
    wanted = 1 / (1 + np.exp(-(odds + prior)))
    assert np.abs(confidence[:, 2] - wanted).mean() < 0.02
    assert decision.threshold == 0.5
    ours = labels < 2
    alone = calibrated_with_none(logits[ours], labels[ours], 0.5)
    assert alone == Decision(decision.temperature, 0.5)
    told, untold = (score(logits, labels, CLASSES, one).calibration_error for one in (decision, Decision()))
    assert told is not None
    assert untold is not None
    assert told < 0.02 < 0.05 < untold


def test_slope_and_shift_leave_the_probabilities_among_the_classes_unchanged() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 4)).astype(np.float32)
    plain, sloped = Decision(), Decision(none_slope=0.5, none_shift=1.0)

    probabilities = sloped.probabilities(logits)

    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    kept = plain.probabilities(logits)
    among = [values[:, :3] / values[:, :3].sum(axis=1, keepdims=True) for values in (probabilities, kept)]
    np.testing.assert_allclose(*among)
    odds = np.log(probabilities[:, 3] / (1 - probabilities[:, 3]))
    np.testing.assert_allclose(odds, 0.5 * np.log(kept[:, 3] / (1 - kept[:, 3])) + 1.0)


def test_calibration_to_a_hold_out_makes_a_model_no_surer_than_its_base() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    easy = (random.normal(0, 1, (300, 3)) + 20 * np.eye(3)[labels]).astype(np.float32)
    base = Decision(temperature=0.7, threshold=0.6, none_slope=0.9, none_shift=1.5)

    assert calibrated(easy, labels, base=base) == base
    doubtful = calibrated(easy / 20 * random.choice([-1, 1], (300, 1), p=[0.3, 0.7]), labels, base=base)
    assert (doubtful.none_slope, doubtful.none_shift) == (base.none_slope, base.none_shift)
    assert doubtful.temperature > base.temperature
    assert doubtful.threshold >= base.threshold
