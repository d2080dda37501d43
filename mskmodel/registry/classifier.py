"""A model version, loaded: radiographs in, labels with calibrated probabilities out, or an abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from mskmodel.network.alexnet import AlexNet, Architecture, mirrored_logits
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Radiograph
from mskmodel.registry.abstention import LOW_CONFIDENCE, UNLIKE
from mskmodel.registry.registry import WEIGHTS, RegistryError, read_manifest

__all__ = ["Classification", "Classifier", "Decision", "choose_device"]


@dataclass(frozen=True)
class Classification:
    """What the model says of one radiograph.

    ``label``: None where it abstains, and then ``reason`` says why. ``top5``: the likeliest classes with their
    calibrated probabilities, descending; with the probability of none of the classes they add up to at most 1.
    ``confidence``: the probability of the first of them.
    """

    label: str | None
    top5: tuple[tuple[str, float], ...]
    confidence: float
    reason: str | None


@dataclass(frozen=True)
class Decision:
    """How probabilities are made of logits, and when they do not suffice. Part of a model version."""

    temperature: float = 1.0
    #: Smallest probability of the likeliest class that is a label.
    threshold: float = 0.5
    #: The log odds of none of the classes against all of them are multiplied by the slope, then the shift is added
    #: (Platt 1999): training shows none of the classes as often as suits training, and is too sure of it or too unsure.
    none_slope: float = 1.0
    none_shift: float = 0.0

    def scaled(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated logits, (n, classes + 1), the last column none of the classes."""
        scaled = np.asarray(logits, np.float64) / self.temperature
        classes = np.logaddexp.reduce(scaled[:, :-1], axis=1)
        scaled[:, -1] = classes + self.none_slope * (scaled[:, -1] - classes) + self.none_shift
        return scaled

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax of ``scaled``."""
        scaled = self.scaled(logits)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def decide(self, probabilities: NDArray[np.float64], classes: Sequence[str]) -> Classification:
        """One row of ``probabilities`` to a label or an abstention."""
        order = np.argsort(-probabilities[:-1], kind="stable")[:5]
        top5 = tuple((classes[i], float(probabilities[i])) for i in order)
        best, confidence = top5[0]
        if probabilities[-1] >= confidence:
            return Classification(None, top5, confidence, UNLIKE)
        if confidence < self.threshold:
            return Classification(None, top5, confidence, LOW_CONFIDENCE)
        return Classification(best, top5, confidence, None)


class Classifier:
    """One model version on one device. ``load`` it once a process; ``classify`` is not for several threads at once."""

    def __init__(
        self,
        version: str,
        classes: tuple[str, ...],
        model: AlexNet,
        preprocessing: Preprocessing,
        decision: Decision,
        device: torch.device,
    ) -> None:
        self.version = version
        self.classes = classes
        self.preprocessing = preprocessing
        self.decision = decision
        self.device = device
        layout = torch.channels_last if device.type == "cpu" else torch.contiguous_format
        self.model: AlexNet = model.float().to(device).to(memory_format=layout).eval()

    @classmethod
    def load(cls, directory: Path, device: str = "auto") -> Classifier:
        """From the directory of a version; ``device``: auto, cpu, cuda or cuda:N.

        Raises RegistryError if the version is incomplete or damaged, ValueError for a device that is not here.
        """
        manifest = read_manifest(directory)
        try:
            architecture = Architecture.from_json(manifest["architecture"])
            classes = tuple(manifest["classes"])
            preprocessing = Preprocessing.from_json(manifest["preprocessing"])
            decision = Decision(**manifest["decision"])
            # Random values would be overwritten at once, and drawing millions of them takes most of a second.
            with torch.device("meta"):
                model = AlexNet(architecture)
            tensors = {name: tensor.float() for name, tensor in load_file(directory / WEIGHTS).items()}
            model.load_state_dict(tensors, assign=True)
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
            raise RegistryError(f"model version in {directory} cannot be loaded: {error}") from error
        return cls(manifest["version"], classes, model, preprocessing, decision, choose_device(device))

    def prepare(self, radiograph: Radiograph) -> NDArray[np.float32]:
        """Input of the network, (3, size, size) float32."""
        return self.preprocessing(radiograph)

    def classify(self, batch: Sequence[NDArray[np.float32]]) -> list[Classification]:
        """One answer for each prepared radiograph, in order; the same whatever else is in the batch."""
        if not batch:
            return []
        probabilities = self.decision.probabilities(self.logits(np.stack(batch)))
        return [self.decision.decide(row, self.classes) for row in probabilities]

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, size, size) prepared radiographs to (n, classes + 1)."""
        return np.asarray(mirrored_logits(self.model, torch.from_numpy(images).to(self.device)).cpu().numpy())


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, or the CPU where there is none. ValueError for one that is not here."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{name!r} is not a device: auto, cpu or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"no such GPU here: {name} ({torch.cuda.device_count()} found)")
    if device.type not in ("cuda", "cpu"):
        raise ValueError(f"{name!r} is not a device: auto, cpu or cuda:N")
    return device
