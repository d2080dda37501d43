"""A service: how one process is started and ended, and how to tell that it is ready."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["STOP", "Service", "ServiceError", "StopSignals"]

StopSignals = tuple[tuple[signal.Signals, float], ...]

#: How a service is asked to end: a signal, and the seconds that it has before the next one; SIGKILL is last.
STOP: StopSignals = ((signal.SIGTERM, 20),)


class ServiceError(Exception):
    """A service did not become ready. The message ends with the last lines of its log."""


@dataclass(frozen=True)
class Service:
    """One process of the stack."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready: Callable[[], bool]
    address: str = ""
    """What to show of where it listens; nothing secret."""
    ready_within: float = 120
    """Seconds that it may take from its start until `ready()`."""
    stop: StopSignals = STOP
    """How it is asked to end."""
    starts: int = 1
    """It starts when all with a lower number are ready."""
    stops: int = 0
    """It is asked to end when all with a lower number have ended."""
