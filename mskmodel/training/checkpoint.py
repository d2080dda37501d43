"""Where a training run stands after an epoch: all it takes to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mskmodel.whole_file import settle

__all__ = ["Checkpoint", "CheckpointError"]


class CheckpointError(Exception):
    """A checkpoint cannot be read, or is of another run."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """After ``epoch`` epochs of a run.

    ``tensors``: ``model.*`` as its state dict has them, ``momentum.*`` the optimiser's under the parameters' names.
    What is random begins anew with each epoch.
    """

    epoch: int
    tensors: Mapping[str, Tensor]

    def save(self, path: Path) -> None:
        """As safetensors, whole or not at all; what was there before stays until then."""
        partial = path.with_name(f".{path.name}.partial")
        contiguous = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        save_file(contiguous, partial, {"epoch": str(self.epoch)})
        settle(partial, path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """From ``save``. Raises CheckpointError."""
        try:
            with safe_open(path, framework="pt") as file:
                epoch = int((file.metadata() or {})["epoch"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return cls(epoch, tensors)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start so, without it."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}
