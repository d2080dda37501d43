"""The state of a training run after an epoch: all it takes to resume as if the run had never stopped."""

from __future__ import annotations

import errno
import os
import re
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


def _system_error(error: SafetensorError, path: Path) -> OSError:
    """What the system said: safetensors hands it on as text, with the number in it."""
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number), str(path))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a run after ``epoch`` epochs.

    ``tensors``: ``model.*`` as in the model's state dict, ``momentum.*`` the optimiser's, by the parameters' names.
    Random generators are not part of it: they are seeded anew for each epoch.
    """

    epoch: int
    tensors: Mapping[str, Tensor]

    def save(self, path: Path) -> None:
        """Write as safetensors, whole or not at all; until then an earlier file stays. Raises OSError."""
        partial = path.with_name(f".{path.name}.partial")
        contiguous = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        try:
            save_file(contiguous, partial, {"epoch": str(self.epoch)})
            settle(partial, path)
        except SafetensorError as error:
            partial.unlink(missing_ok=True)  # on a full disk it would take what room there is
            raise _system_error(error, path) from error

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a file that ``save`` wrote. Raises CheckpointError."""
        try:
            with safe_open(path, framework="pt") as file:
                epoch = int((file.metadata() or {})["epoch"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return cls(epoch, tensors)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with ``prefix``, by their names without it."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}
