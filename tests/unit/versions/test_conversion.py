"""From a trained model to a version and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry, others_beside, read_manifest
from mskmodel.registry.classifier import Classifier
from mskmodel.training.loop import Source, new_model
from mskmodel.versions.conversion import finished, logits_of, model_of_version, outputs_of, version_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, trained, weights


def test_a_version_serves_what_was_trained_and_can_be_trained_further(tmp_path: Path) -> None:
    model = finished(trained(), QUICK)
    source = Source("drawn", pictures(), 1.0)
    tensors, manifest = version_of(model, CLASSES, Preprocessing(), QUICK, [source], pictures(6, seed=1), "stand-in")
    registry = Registry(tmp_path)

    directory = registry.find(registry.register(tensors, manifest))

    served = Classifier.load(directory, "cpu")
    images = np.stack([Preprocessing().enhance(p[:224, :224] / np.float32(255)) for p in pictures(3).values])
    expected = model.logits(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(served.logits(images), expected, atol=0.02)
    again = model_of_version(directory, CLASSES).eval()
    np.testing.assert_allclose(again.logits(torch.from_numpy(images)).numpy(), expected, atol=0.02)
    assert model_of_version(directory, ("a", "b", "c")).architecture.outputs == 4


@pytest.fixture
def with_kinds(tmp_path: Path) -> Path:
    """A version of two classes that tells two kinds of none of them apart."""
    torch.manual_seed(0)
    model = finished(new_model(CLASSES, QUICK, weights(), others=("noise", "ring")), QUICK).eval()
    held_out = replace(pictures(10), labels=np.arange(10, dtype=np.int64) % 5)
    tensors, manifest = version_of(
        model, CLASSES, Preprocessing(), QUICK, [], held_out, "stand-in", others=("noise", "ring")
    )
    registry = Registry(tmp_path)
    return registry.find(registry.register(tensors, manifest))


def test_a_version_with_other_kinds_answers_for_its_classes_and_none_of_them(with_kinds: Path) -> None:
    served = Classifier.load(with_kinds, "cpu")
    images = np.stack([Preprocessing().enhance(p[:224, :224] / np.float32(255)) for p in pictures(3).values])

    assert (served.classes, served.others) == (CLASSES, ("noise", "ring"))
    assert served.outputs(images).shape == (3, 5)
    assert served.logits(images).shape == (3, 3)
    assert [len(answer.probabilities) for answer in served.classify(list(images))] == [3, 3, 3]
    figures = read_manifest(with_kinds)["metrics"]
    assert (figures["count"], figures["none_count"]) == (4, 6), "every label behind the classes is none of them"


@pytest.mark.parametrize(
    ("classes", "others", "as_before"),
    [
        (CLASSES, ("noise", "ring"), [0, 1, 2, 3, 4]),
        ((*CLASSES, "noise"), ("ring",), [0, 1, 2, 3, 4]),
        (("ring", "disc"), ("noise",), [3, 1, 2, 4]),
        (("disc", "new", "stripes"), ("noise", "ring"), [1, None, 0, 2, 3, 4]),
    ],
    ids=["the same", "a kind becomes a class", "a class is given up", "a class is new"],
)
def test_a_version_that_is_trained_further_keeps_what_it_knows_of_each_key(
    with_kinds: Path, classes: tuple[str, ...], others: tuple[str, ...], as_before: list[int | None]
) -> None:
    before = outputs_of(model_of_version(with_kinds, CLASSES).eval(), pictures(6), Preprocessing())

    model = model_of_version(with_kinds, classes).eval()

    assert others_beside(with_kinds, classes) == others
    assert (model.architecture.classes, model.architecture.others) == (len(classes), len(others))
    after = outputs_of(model, pictures(6), Preprocessing())
    assert logits_of(model, pictures(6), Preprocessing()).shape == (6, len(classes) + 1)
    for number, place in enumerate(as_before):
        if place is not None:
            np.testing.assert_allclose(after[:, number], before[:, place], atol=1e-5)


def test_kinds_can_be_added_to_a_version_that_has_none(tmp_path: Path) -> None:
    tensors, manifest = version_of(
        finished(trained(), QUICK), CLASSES, Preprocessing(), QUICK, [], pictures(6), "stand-in"
    )
    registry = Registry(tmp_path)
    directory = registry.find(registry.register(tensors, manifest))
    before = outputs_of(model_of_version(directory, CLASSES).eval(), pictures(6), Preprocessing())

    model = model_of_version(directory, CLASSES, others=("noise",)).eval()

    after = outputs_of(model, pictures(6), Preprocessing())
    np.testing.assert_allclose(after[:, [0, 1, 3]], before, atol=1e-5)
