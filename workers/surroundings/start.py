"""What a process finds out about its surroundings when it starts: once, in its log, and at once if they are there.

No service needs another one to be up first. What is away is waited for in a thread, while the process begins its work.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from workers.settings import Settings
from workers.surroundings.broker import look_at_broker
from workers.surroundings.finding import MISSING, WARNING, Away, Finding, UnfitSurroundings
from workers.surroundings.orthanc import look_at_orthanc

__all__ = ["surroundings"]

#: Seconds that the start waits for the looks.
AT_MOST = 1.0
#: Seconds between two questions to a server that is away.
PAUSE = 2.0

LOOKS: dict[str, Callable[[Settings], Iterable[Finding]]] = {"broker": look_at_broker, "orthanc": look_at_orthanc}

log = logging.getLogger(__name__)


@contextmanager
def surroundings(settings: Settings, machine: Iterable[Finding], stop: Callable[[], None]) -> Iterator[None]:
    """Look at the machine, and at both servers: before the work begins, or as soon as each of them is there.

    Args:
        machine: what was found out about the machine.
        stop: ends the work, called from another thread; where a server that was away turns out to be unfit.

    Raises:
        UnfitSurroundings: instead of the work, or at its end if it was stopped.
    """
    _judge(machine)
    watches = [_Watch(name, settings, stop) for name in LOOKS]
    deadline = time.monotonic() + AT_MOST
    for watch in watches:
        watch.start()
    for watch in watches:
        watch.looked.wait(max(0, deadline - time.monotonic()))
    try:
        for watch in watches:
            watch.work_began.set()
        if not any(watch.unfit for watch in watches):
            yield
    finally:
        for watch in watches:
            watch.work_ended.set()
        for watch in watches:
            if watch.unfit:
                raise watch.unfit


class _Watch(threading.Thread):
    """Looks at one server, once: when it is there."""

    def __init__(self, name: str, settings: Settings, stop: Callable[[], None]) -> None:
        super().__init__(name=f"surroundings-{name}", daemon=True)
        self.looked, self.work_began, self.work_ended = threading.Event(), threading.Event(), threading.Event()
        self.unfit: UnfitSurroundings | None = None
        self._server, self._settings, self._stop_work = name, settings, stop

    def run(self) -> None:
        try:
            while not self._there():
                self.looked.set()
                if self.work_ended.wait(PAUSE):
                    return
        except UnfitSurroundings as error:
            self.unfit = error
            if self.work_began.is_set():
                log.error("surroundings-unfit %s", error)
                self._stop_work()
        finally:
            self.looked.set()

    def _there(self) -> bool:
        """Whether the server could be looked at. Raises UnfitSurroundings."""
        try:
            _judge(LOOKS[self._server](self._settings))
        except Away as error:
            if not self.looked.is_set():  # told once
                log.warning("surroundings-awaited %s: %s", self._server, error)
            return False
        return True


def _judge(findings: Iterable[Finding]) -> None:
    """Log what costs something. Raises UnfitSurroundings for what makes the work impossible."""
    unfit = []
    for finding in findings:
        if finding.status == WARNING:
            log.warning("surroundings-costly %s", finding.sentence)
        elif finding.status == MISSING:
            unfit.append(finding.sentence)
    if unfit:
        raise UnfitSurroundings("; ".join(unfit))
