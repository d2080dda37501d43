"""Drawn radiographs, and pictures that a small network learns in seconds: stripes, discs, and noise (no class)."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Radiograph
from mskmodel.training.loop import Progress, Source, TrainingSettings, new_model, train

CLASSES = ("stripes", "disc")
QUICK = TrainingSettings(epochs=1, views=16, batch=8, rate=0.003, frozen=0, hidden=(32,), ranks=(16,), none_weight=1.0)


def pictures(n: int = 12, seed: int = 0) -> Pictures:
    """Stripes (0), discs (1), and noise, which is none of the classes (2)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:STORED, 0:STORED] / STORED
    values = []
    for number in range(n):
        phase, radius = random.uniform(0, 6), random.uniform(0.1, 0.4)
        stripes = np.sin(40 * x + phase) > 0
        disc = np.hypot(x - 0.5, y - 0.5) < radius
        noise = random.random((STORED, STORED))
        values.append(((stripes, disc, noise)[number % 3] * 200 + 20).astype(np.uint8))
    return Pictures(np.stack(values), np.full((n, 2), STORED, np.int16), np.arange(n, dtype=np.int64) % 3)


def weights() -> Mapping[str, Tensor]:
    """Stand-ins for ImageNet's weights: only training is tested here."""
    torch.manual_seed(0)
    state = AlexNet(Architecture(3, hidden=(32,))).state_dict()
    return {name: tensor for name, tensor in state.items() if name.startswith("features.")}


def trained(report: list[Progress] | None = None) -> AlexNet:
    """A network after one short run; ``report`` gets what is told after each step."""
    model = new_model(CLASSES, QUICK, weights())
    show = report.append if report is not None else None
    return train(model, [Source("drawn", pictures(), 1.0)], Preprocessing(), QUICK, show)


def a_radiograph(rows: int, columns: int, bits: int = 12, seed: int = 0) -> Radiograph:
    """A bright disc on a ramp with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    disc = np.hypot(y / rows - 0.5, x / columns - 0.5) < 0.25
    values = 0.2 + 0.2 * x / columns + 0.4 * disc + random.normal(0, 0.01, (rows, columns))
    top = 2**bits - 1
    return Radiograph((np.clip(values, 0, 1) * top).astype(np.uint16), bits)
