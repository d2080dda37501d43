"""AlexNet as in torchvision (Krizhevsky 2014, "One weird trick"), with a head of this project's own.

``features`` are the five convolutions under torchvision's names, so that its weights load as they are.
The head is 9216 - hidden... - outputs. Each hidden layer may be replaced by two thin ones: the truncated
singular value decomposition of a trained layer (Girshick, "Fast R-CNN", section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["FEATURES", "LOOKS", "AlexNet", "Architecture", "expanded", "factorised", "in_looks", "with_outputs"]

#: How often a version may look: at a picture alone, or at its mirror image too.
LOOKS = (1, 2)
#: 256 channels of 6 x 6 after the last pooling.
FEATURES = 256 * 6 * 6


@dataclass(frozen=True)
class Architecture:
    """Sizes of the head. ``outputs``: one for each class, one for each other kind and, last, one for none of these.

    Raises ValueError for a number of looks that is not one of ``LOOKS``.
    """

    outputs: int
    #: Widths of the hidden layers: (4096, 4096) is the original.
    hidden: tuple[int, ...] = (1024,)
    #: Rank of each hidden layer; 0 = full.
    ranks: tuple[int, ...] = (0,)
    dropout: float = 0.5
    #: 1: the answer is that to the picture. 2: the mean of those to the picture and to its mirror image.
    looks: int = 2
    #: Outputs of kinds of none of the classes. A version's manifest names them, so this number is not stored.
    others: int = 0

    def __post_init__(self) -> None:
        """Check the looks."""
        if self.looks not in LOOKS:
            raise ValueError(f"a version takes 1 or 2 looks, not {self.looks}")

    @property
    def classes(self) -> int:
        """Outputs of classes."""
        return self.outputs - self.others - 1

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``model.json``."""
        return {name: value for name, value in asdict(self).items() if name != "others"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], others: int = 0) -> Architecture:
        """From ``to_json``; versions that do not say how often they look take two looks."""
        return cls(
            outputs=int(values["outputs"]),
            hidden=tuple(values["hidden"]),
            ranks=tuple(values["ranks"]),
            dropout=float(values["dropout"]),
            looks=int(values.get("looks", 2)),
            others=others,
        )


class AlexNet(nn.Module):
    """The network: (n, 3, 224, 224) float, normalised, to (n, outputs) logits."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.features = _convolutions()
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.head = _head(architecture)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        features: Tensor = self.avgpool(self.features(images))
        logits: Tensor = self.head(features.flatten(1))
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """Logits of all outputs, (n, outputs) float32, from as many looks as the architecture says."""
        return in_looks(self, self.architecture.looks, images)


def _convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


def _head(architecture: Architecture) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = FEATURES
    for hidden, rank in zip(architecture.hidden, architecture.ranks, strict=True):
        layers += [nn.Dropout(architecture.dropout), _linear(width, hidden, rank), nn.ReLU(inplace=True)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, architecture.outputs))


def _linear(inputs: int, outputs: int, rank: int) -> nn.Module:
    if not rank:
        return nn.Linear(inputs, outputs)
    return nn.Sequential(nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs))


@torch.inference_mode()
def in_looks(network: Callable[[Tensor], Tensor], looks: int, images: Tensor) -> Tensor:
    """What ``network`` makes of (n, c, size, size) images, (n, width) float32: the mean over the looks.

    A mirror image is of the same class, and the mean of two answers is better than one.
    """
    seen = torch.cat([images, images.flip(3)]) if looks == 2 else images
    layout = torch.channels_last if images.device.type == "cpu" else torch.contiguous_format
    answers = network(seen.contiguous(memory_format=layout)).float()
    return answers.view(looks, len(images), -1).mean(0)


@torch.no_grad()
def factorised(model: AlexNet, ranks: tuple[int, ...]) -> AlexNet:
    """The same network with hidden layers of at most these ranks (0 = as it is): smaller, nearly the same answers."""
    new = AlexNet(replace(model.architecture, ranks=ranks))
    new.features.load_state_dict(model.features.state_dict())
    for source, target in zip(model.head, new.head, strict=True):
        if isinstance(target, nn.Sequential) and isinstance(source, nn.Linear):
            _decompose(source, target)
        else:
            target.load_state_dict(source.state_dict())
    return new.eval()


def _decompose(layer: nn.Linear, pair: nn.Sequential) -> None:
    """Fill two thin layers from one, whose W = U S V' is cut after the first singular values: S V' = U' W, then U.

    U are the eigenvectors of W W', which is 9 times smaller than W: seconds instead of a minute.
    """
    narrow, wide = pair
    assert isinstance(narrow, nn.Linear)
    assert isinstance(wide, nn.Linear)
    weight = layer.weight.double()
    _, vectors = torch.linalg.eigh(weight @ weight.T)
    u = vectors[:, -narrow.out_features :]
    narrow.weight.copy_(u.T @ weight)
    wide.weight.copy_(u)
    wide.bias.copy_(layer.bias)


@torch.no_grad()  # not inference mode: the new network is trained further
def expanded(model: AlexNet) -> AlexNet:
    """The same network with its thin pairs multiplied out, so that it can be trained further."""
    old = model.architecture
    new = AlexNet(replace(old, ranks=tuple(0 for _ in old.hidden)))
    new.features.load_state_dict(model.features.state_dict())
    for source, target in zip(model.head, new.head, strict=True):
        if isinstance(source, nn.Sequential) and isinstance(target, nn.Linear):
            narrow, wide = source
            assert isinstance(narrow, nn.Linear)
            assert isinstance(wide, nn.Linear)
            target.weight.copy_(wide.weight @ narrow.weight)
            target.bias.copy_(wide.bias)
        else:
            target.load_state_dict(source.state_dict())
    return new


@torch.no_grad()  # not inference mode: the new network is trained further
def with_outputs(
    model: AlexNet, outputs: int, others: int = 0, kept: Mapping[int, int] = MappingProxyType({})
) -> AlexNet:
    """The same network with a fresh last layer for other classes.

    ``kept``: by its number, each new output that begins as one of ``model``, and the number which that has there.
    """
    new = AlexNet(replace(model.architecture, outputs=outputs, others=others))
    new.features.load_state_dict(model.features.state_dict())
    for source, target in list(zip(model.head, new.head, strict=True))[:-1]:
        target.load_state_dict(source.state_dict())
    old, last = model.head[-1], new.head[-1]
    assert isinstance(old, nn.Linear)
    assert isinstance(last, nn.Linear)
    for place, before in kept.items():
        last.weight[place] = old.weight[before]
        last.bias[place] = old.bias[before]
    return new
