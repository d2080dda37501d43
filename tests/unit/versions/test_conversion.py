"""From a trained model to a version and back."""

from pathlib import Path

import numpy as np
import torch

from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from mskmodel.training.loop import Source
from mskmodel.versions.conversion import finished, model_of_version, version_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, trained


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
