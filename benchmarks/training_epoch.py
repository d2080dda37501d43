"""How much of a training epoch is not the network: one epoch over 793 cached pictures against steps of the network.

Both are timed in turns, on the same threads. The result is the median of the ratios; it should not exceed 1.5.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.labels import KEYS
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.weights import find
from mskmodel.training.loop import Source, TrainingSettings, new_model, train
from mskmodel.training.precision import mixed

PICTURES = 793


def cached() -> Pictures:
    """Pictures of noise: the time does not depend on what they show."""
    random = np.random.default_rng(1)
    values = random.integers(0, 256, (PICTURES, STORED, STORED), np.uint8)
    labels = random.integers(0, len(KEYS) + 1, PICTURES)
    return Pictures(values, np.full((PICTURES, 2), STORED, np.int16), labels)


def epoch_seconds(pictures: Pictures, settings: TrainingSettings) -> float:
    """Seconds of an epoch with everything that training does."""
    model = new_model(KEYS, settings, find().tensors)
    began = time.perf_counter()
    train(model, [Source("cached", pictures, 1.0)], Preprocessing(), settings)
    return time.perf_counter() - began


def bare_seconds(settings: TrainingSettings) -> float:
    """Seconds of as many forward, backward and optimiser steps, on a batch that is already in memory."""
    model = new_model(KEYS, settings, find().tensors).to(memory_format=torch.channels_last)
    convolutions = [layer for layer in model.features if isinstance(layer, torch.nn.Conv2d)]
    for layer in convolutions[: settings.frozen]:
        layer.requires_grad_(False)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learning, settings.rate, settings.momentum, weight_decay=settings.weight_decay)
    images = torch.randn(settings.batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, len(KEYS) + 1, (settings.batch,))
    began = time.perf_counter()
    for _ in range(-(-settings.views // settings.batch)):
        with mixed(images.device):
            logits = model(images)
        loss = cross_entropy(logits.float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def main() -> None:
    """Print seconds and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument(
        "--frozen", type=int, default=TrainingSettings().frozen, help="first convolutions not trained"
    )
    chosen = arguments.parse_args()
    settings = TrainingSettings(epochs=1, views=PICTURES, frozen=chosen.frozen)
    torch.set_num_threads(settings.threads)
    pictures, ratios = cached(), []
    for _ in range(chosen.rounds):
        bare, whole = bare_seconds(settings), epoch_seconds(pictures, settings)
        ratios.append(whole / bare)
        print(f"bare {bare:.1f} s, epoch {whole:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
