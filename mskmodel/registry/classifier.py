"""A loaded model version: gives a radiograph a label with calibrated probabilities, or abstains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from mskmodel.network.alexnet import AlexNet, Architecture, in_looks
from mskmodel.network.outputs import collapsed
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.single_channel import SingleChannel
from mskmodel.radiograph import Radiograph
from mskmodel.registry.decision import Classification, Decision, NotANumber
from mskmodel.registry.execution import Network, fastest
from mskmodel.registry.known_pictures import known_pictures
from mskmodel.registry.version import WEIGHTS, RegistryError, read_manifest

__all__ = ["Classifier", "choose_device"]


class Classifier:
    """One model version on one device. ``load`` it once per process; ``classify`` is not thread-safe."""

    def __init__(
        self,
        version: str,
        classes: tuple[str, ...],
        model: AlexNet,
        preprocessing: Preprocessing,
        decision: Decision,
        device: torch.device,
        others: tuple[str, ...] = (),
    ) -> None:
        self.version = version
        self.classes = classes
        #: What the network tells apart and does not name: kinds of none of the classes.
        self.others = others
        self.preprocessing = preprocessing
        self.decision = decision
        self.device = device
        self.model: AlexNet = model.float().to(memory_format=torch.channels_last).eval()
        self._single = SingleChannel(model, preprocessing.size, preprocessing.mean, preprocessing.std)
        self.model.to(device)
        self._single.to(device)
        self._network: Network = self._single

    @classmethod
    def load(cls, directory: Path, device: str = "auto") -> Classifier:
        """From the directory of a version; ``device``: auto, cpu, cuda or cuda:N. It is asked about the known pictures.

        Raises RegistryError if the version is incomplete or damaged, or if its answers are no numbers; ValueError for a
        device that does not exist.
        """
        manifest = read_manifest(directory)
        try:
            classes, others = tuple(manifest["classes"]), tuple(manifest.get("others", ()))
            architecture = Architecture.from_json(manifest["architecture"], len(others))
            preprocessing = Preprocessing.from_json(manifest["preprocessing"])
            decision = Decision(**manifest["decision"])
            _check_outputs(architecture.outputs, classes, others)
            # No initial values: they would be overwritten at once, and drawing millions takes most of a second.
            with torch.device("meta"):
                model = AlexNet(architecture)
            tensors = {name: tensor.float() for name, tensor in load_file(directory / WEIGHTS).items()}
            model.load_state_dict(tensors, assign=True)
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as error:
            raise RegistryError(f"model version in {directory} cannot be loaded: {error}") from error
        loaded = cls(manifest["version"], classes, model, preprocessing, decision, choose_device(device), others)
        loaded._ask()
        return loaded

    def prepare(self, radiograph: Radiograph) -> NDArray[np.float32]:
        """Input of the network, (3, size, size) float32."""
        return self.preprocessing(radiograph)

    def classify(self, batch: Sequence[NDArray[np.float32]]) -> list[Classification]:
        """One answer for each prepared radiograph, in order; independent of the rest of the batch."""
        if not batch:
            return []
        return [self.decision.answer(row, self.classes, self.others) for row in self.outputs(np.stack(batch))]

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, size, size) prepared radiographs to (n, classes + 1)."""
        return collapsed(self.outputs(images), len(self.classes))

    def outputs(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, size, size) prepared radiographs to (n, classes + others + 1): none of the classes by its kinds."""
        return self._outputs(self._network, images)

    def hasten(self) -> None:
        """On a processor, answer from now on in the fastest way there that agrees with float32; takes a second or two.

        Figures would depend on the machine: it is for labelling only.
        """
        if self.device.type != "cpu":
            return
        known = [self.prepare(picture) for picture in known_pictures()]

        def ask(network: Network, count: int) -> NDArray[np.float64]:
            pictures = np.stack([known[number % len(known)] for number in range(count)])
            return self.decision.with_kinds(self._outputs(network, pictures), len(self.classes))

        self._network = fastest(self._single, self.preprocessing.size, ask)

    def _outputs(self, network: Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = torch.from_numpy(images[:, :1]).to(self.device)
        return np.asarray(in_looks(network, self.model.architecture.looks, seen).cpu().numpy())

    def _ask(self) -> None:
        """Raise RegistryError unless the answers to the known pictures are numbers."""
        try:
            self.decision.probabilities(self.logits(np.stack([self.prepare(one) for one in known_pictures()])))
        except NotANumber as error:
            raise RegistryError(f"model version {self.version}, asked about a known picture: {error}") from error


def _check_outputs(outputs: int, classes: Sequence[str], others: Sequence[str]) -> None:
    if outputs != len(classes) + len(others) + 1:
        kinds = f", {len(others)} other kinds" if others else ""
        raise ValueError(f"{outputs} outputs do not fit {len(classes)} classes{kinds} and none of them")
    if len({*classes, *others}) != outputs - 1:
        raise ValueError("a key is named twice among its classes and other kinds")


def choose_device(name: str) -> torch.device:
    """The device; ``auto`` is the first GPU, or the CPU if there is none. ValueError for one that does not exist."""
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
