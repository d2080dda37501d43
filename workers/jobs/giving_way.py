"""Giving way to labelling: training takes only what labelling leaves of the processors and the GPU."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from redis import RedisError

from workers.broker.queues import LABEL
from workers.ledger import Ledger

if TYPE_CHECKING:
    import torch

__all__ = ["GivingWay", "cap_memory", "take_low_priority", "threads"]

#: Seconds that a new study may wait before training stops for it.
_PATIENCE = 1.0
#: Seconds between two looks at the queue.
_INTERVAL = 0.5
#: Bytes of a GPU's memory for training: several times what AlexNet needs at a batch of 50.
_GPU_BYTES = 4_000_000_000


def take_low_priority() -> None:
    """Take processor time only when nothing else in the container wants it.

    Niceness alone lets a running thread finish its time slice of some milliseconds. A thread in the idle class gives up
    the core at once when another one wakes.
    """
    os.nice(19 - os.nice(0))
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        # Where the kernel shares time among sessions first (as Debian's does), niceness counts only within a session.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text("19")


def threads() -> int:
    """Threads to train with: half of the cores, so that labelling has the others even under load."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def cap_memory(device: "torch.device") -> None:
    """Leave most of a GPU's memory to its label workers: if memory runs short, training fails and they do not."""
    if device.type == "cuda":
        import torch

        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, _GPU_BYTES / total), device)


class GivingWay:
    """Stops the caller for as long as new studies wait and somebody works on them."""

    def __init__(self, ledger: Ledger, tell: Callable[[], None]) -> None:
        """``tell`` is called again and again while training is stopped."""
        self._ledger, self._tell, self._next = ledger, tell, 0.0

    def __call__(self) -> None:
        """Return when training may continue; to be called often."""
        while time.monotonic() >= self._next and self._is_wanted():
            self._tell()
            time.sleep(_INTERVAL)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL

    def _is_wanted(self) -> bool:
        try:
            return self._ledger.depth()["leased"] > 0 and self._ledger.lag(LABEL) > _PATIENCE
        except RedisError:  # then nothing is labelled either
            return False
