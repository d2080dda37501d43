"""A small pool of child processes that render pictures, each of which may be killed at any moment."""

import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import LifoQueue

from workers.pictures.answer import SIZES, Answer, Ending

__all__ = ["AT_ONCE", "Renderers"]

#: Children, each of which takes a core while it renders.
AT_ONCE = 2
#: Seconds that a picture may take, Orthanc's part included, and those in which a child must have started.
SECONDS, START_SECONDS = 30.0, 60.0
#: Most bytes of an answer. 1600 x 1600 pixels take less than half of it.
LONGEST_ANSWER = 8 * 2**20

log = logging.getLogger(__name__)


class Renderers:
    """Starts each child when it is needed first, and another one for one that died or had to be ended."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._free: LifoQueue[_Child | None] = LifoQueue()
        for _ in range(AT_ONCE):
            self._free.put(None)

    def picture(self, instance_id: str, size: str) -> Answer:
        """Ask a child for a picture of that size, and wait for it; waits for a free child first."""
        child = self._free.get()
        try:
            child = child or _Child()
            answer = child.ask(f"{instance_id} {SIZES[size]}", self._seconds)
        except (EOFError, OSError, ValueError) as error:
            if child:
                child.end()
                child = None
            log.warning("picture-child-ended instance=%s error=%s", instance_id, type(error).__name__)
            reason = "it took too long" if isinstance(error, TimeoutError) else "the process that read it ended"
            return Answer.because(Ending.STOPPED, f"no picture: {reason}")
        finally:
            self._free.put(child)
        return answer


class _Child:
    """One process, and the socket to it. Methods raise OSError, of which TimeoutError is one, and EOFError."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = (sys.executable, "-P", "-m", "workers.pictures.child", str(theirs.fileno()))
            # More threads would take memory of the child's, and cores of intake's.
            environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        self._channel = Connection(ours.detach())
        try:
            self._receive(START_SECONDS)
        except BaseException:
            self.end()
            raise

    def ask(self, message: str, seconds: float) -> Answer:
        """Its answer. ValueError: what it says is none."""
        self._channel.send_bytes(message.encode())
        return Answer.of(self._receive(seconds))

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._channel.close()

    def _receive(self, seconds: float) -> bytes:
        if not self._channel.poll(seconds):
            raise TimeoutError
        return self._channel.recv_bytes(LONGEST_ANSWER)
