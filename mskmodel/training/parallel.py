"""Training in several processes of one host, a GPU each: the same batch, shared out, and the gradients averaged.

The processes are started by `torchrun`; without it there is one process, and nothing here has an effect.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn

__all__ = ["ALONE", "Team"]

#: How long processes wait for another one: it may be evaluating, or yielding to something more urgent.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Team:
    """The processes that train one model; ``rank`` 0 is the one that reports, evaluates and writes."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls, device: torch.device) -> Team:
        """The team of the processes that `torchrun` started; all must join. Without `torchrun`, `ALONE`."""
        if "WORLD_SIZE" not in os.environ:
            return ALONE
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=_PATIENCE)
        return cls(distributed.get_rank(), distributed.get_world_size())

    def share(self, batch: int) -> int:
        """How many pictures of a batch are this process's."""
        return (batch - self.rank + self.size - 1) // self.size

    def seed(self, seed: int, epoch: int) -> int:
        """Seed of this process in that epoch: no two processes draw the same."""
        return (seed * 1_000_003 + epoch) * 1_009 + self.rank

    def average(self, parameters: Iterable[nn.Parameter], share: float) -> None:
        """Make every gradient the mean over the whole batch; ``share``: this process's part of it, 0..1."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad.mul_(share))

    def leave(self) -> None:
        """Leave the process group; the last call on a team."""
        if self.size > 1:
            distributed.destroy_process_group()


ALONE = Team()
