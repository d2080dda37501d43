"""One process of the stack: started in a session of its own, ended with all of its children."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

from workers.supervision.service import Service

__all__ = ["Process"]


class Process:
    """A service that runs, or ran.

    It has its own session, so that Ctrl-C in the terminal reaches the supervisor alone, and writes
    to its log file itself, so that a paused terminal cannot block it.
    """

    def __init__(self, service: Service, log: Path, directory: Path) -> None:
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                (*_ends_with_supervisor(), *service.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(service.environment),
                start_new_session=True,
            )
        self.service = service
        self.started = time.monotonic()
        self.descriptor = os.pidfd_open(self.pid)
        """Becomes readable when the process has ended."""

    @property
    def pid(self) -> int:
        """Process id, which is its session's and process group's id too."""
        return self._popen.pid

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Signal the process itself, but not its children."""
        self._popen.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within that time."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(max(0, seconds) * 1000)) and self._popen.wait() is not None

    def bury(self) -> None:
        """Kill what is left of it, including children that outlive it, and release its descriptor."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        os.close(self.descriptor)


def _ends_with_supervisor() -> tuple[str, ...]:
    """A command prefix that has the kernel send the process SIGTERM when the supervisor dies."""
    return ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
