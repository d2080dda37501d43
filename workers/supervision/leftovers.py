"""Processes that an earlier stack on the same data left behind.

Every process that a stack starts carries the data directory in its environment, and so do its
children. They are recognized by that, since a recorded process id may be another program's by now.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["MARKER", "leftovers", "stop_all"]

#: Environment variable that names the data directory.
MARKER = "MSK_STACK"


def leftovers(data: Path) -> list[int]:
    """Ids of all living processes that a stack on this data started."""
    wanted = os.fsencode(f"{MARKER}={data}")
    return [pid for pid in _processes() if wanted in _environment(pid)]


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def stop_all(pids: Iterable[int], grace: float = 10) -> None:
    """End the processes: SIGTERM, and after `grace` seconds SIGKILL; returns when all are gone."""
    watched: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            watched[pid] = os.pidfd_open(pid)
    try:
        _signal(watched, signal.SIGTERM)
        _signal(watched, signal.SIGCONT)  # a stopped process reacts only once it continues
        _await_end(watched, grace)
        _signal(watched, signal.SIGKILL)
        _await_end(watched, grace)
    finally:
        for descriptor in watched.values():
            os.close(descriptor)


def _signal(watched: dict[int, int], number: signal.Signals) -> None:
    for descriptor in watched.values():
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)


def _await_end(watched: dict[int, int], seconds: float) -> None:
    poll = select.poll()
    for descriptor in watched.values():
        poll.register(descriptor, select.POLLIN)
    running, deadline = set(watched.values()), time.monotonic() + seconds
    while running and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            running.discard(descriptor)
            poll.unregister(descriptor)
