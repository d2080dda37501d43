"""Figures of an evaluation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mskmodel.data.labels_file import read_labels
from mskmodel.judging.evaluation import Answers, answers, narrowed, score
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import new_model
from mskmodel.versions.conversion import finished, version_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights


def test_the_calibration_error_by_chance_is_that_of_perfectly_calibrated_confidences() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (136, 4)).astype(np.float32)
    chances = Decision().probabilities(logits).cumsum(axis=1)

    errors, told = [], None
    for _ in range(300):
        labels = (random.random((136, 1)) < chances).argmax(axis=1)
        figures = score(logits, labels, ("a", "b", "c"), Decision())
        told = figures.calibration_error_by_chance
        errors.append(figures.calibration_error)

    assert told == pytest.approx(np.mean(errors), rel=0.1)


def test_figures_follow_their_definitions() -> None:
    logits = np.log(
        np.array(
            [[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.1, 0.85, 0.05], [0.2, 0.1, 0.7], [0.9, 0.08, 0.02]], np.float32
        )
    )
    labels = np.array([0, 0, 1, 2, 2])  # the last two are none of the classes

    figures = score(logits, labels, CLASSES, Decision(threshold=0.5))

    assert (figures.count, figures.none_count) == (3, 2)
    assert figures.top1 == pytest.approx(2 / 3)
    assert figures.mean_recall == pytest.approx(0.75)
    assert figures.top5_error == 0
    assert figures.abstained == 0
    assert figures.none_labelled == pytest.approx(0.5)
    assert figures.none_auroc == pytest.approx(0.5)
    assert figures.classes[0].taken_for == {"disc": 1}
    assert figures.classes[0].precision == pytest.approx(0.5)


def test_a_class_that_is_not_judged_counts_as_none_in_truths_and_in_answers() -> None:
    chances = np.array([[0.6, 0.3, 0.05, 0.05], [0.1, 0.7, 0.1, 0.1], [0.3, 0.1, 0.1, 0.5], [0.1, 0.1, 0.7, 0.1]])
    decision = Decision(temperature=2.0, threshold=0.5)
    labels = np.array([0, 1, 3, 2])
    said = Answers((), labels, (decision.temperature * np.log(chances)).astype(np.float32))

    some, plain = narrowed(said, ("a", "b", "c"), decision, ("c", "a"))

    assert some.labels.tolist() == [1, 2, 2, 0]
    np.testing.assert_allclose(
        plain.probabilities(some.logits),
        [[0.05, 0.6, 0.35], [0.1, 0.1, 0.8], [0.1, 0.3, 0.6], [0.7, 0.1, 0.2]],
        atol=1e-6,
    )
    figures = score(some.logits, some.labels, ("c", "a"), plain)
    assert (figures.count, figures.none_count, figures.top1, figures.none_labelled) == (2, 2, 1.0, 0.0)
    assert narrowed(said, ("a", "b", "c"), decision, ("a", "b", "c")) == (said, decision)


def test_evaluation_lists_what_it_cannot_read(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    model = finished(new_model(CLASSES, QUICK, weights()), QUICK).eval()
    some = pictures(3)
    tensors, manifest = version_of(model, CLASSES, Preprocessing(), QUICK, [], some, "stand-in")
    classifier = Classifier.load(registry.find(registry.register(tensors, manifest)), "cpu")
    Image.fromarray(some.values[0]).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "labels.csv").write_text("file,label\ngood.png,stripes\nbad.png,disc\nmissing.png,none\n")

    said = answers(classifier, read_labels(tmp_path / "labels.csv", tmp_path, CLASSES))
    result = score(said.logits, said.labels, CLASSES, classifier.decision, said.unreadable)

    assert (result.count, result.none_count) == (1, 0)
    assert [one.file.name for one in result.unreadable] == ["bad.png", "missing.png"]
