"""A process that ends with the one that started it, however that ends."""

import ctypes
import os
import signal

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, however it ends.

    ``parent``: the process that started it. It is not asked for here: if it has gone already, another one, which never
    ends, stands in its place.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the process that started this one has gone")
