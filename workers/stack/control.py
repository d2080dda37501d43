"""Starting a stack in the background, looking at it, and ending it: for scripts, tests and the demo."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workers.stack.data_directory import DataDirectory
from workers.stack.errors import StackError
from workers.stack.options import Options
from workers.supervision.leftovers import leftovers, stop_all

__all__ = ["down", "running", "start_in_background", "wait_for_end"]

#: Most seconds for the end of a stack: the sum of the time that its services may take, one after the other.
PATIENCE = 180.0


def start_in_background(options: Options, tell: Callable[[str], None], *, ends_with_me: bool = False) -> dict[str, Any]:
    """Start a stack in a process of its own and return its state when everything works.

    Args:
        options: what to start, and where.
        tell: called with each line about the progress.
        ends_with_me: have the kernel end the stack when the calling thread ends, however it ends.

    Raises:
        StackError: the stack did not start; the message says why.
    """
    data = DataDirectory(options.data.resolve())
    data.prepare()
    reader, writer = os.pipe()
    prefix = ("setpriv", "--pdeathsig", "TERM", "--") if ends_with_me and shutil.which("setpriv") else ()
    with (data.logs / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            (*prefix, sys.executable, "-P", "-m", "workers.cli", *_arguments(options), "--report", str(writer)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(writer,),
        )
    os.close(writer)
    try:
        with open(reader) as report:  # noqa: PTH123 (a descriptor); it ends when all is ready, or when the process ends
            for line in report:
                tell(line.rstrip("\n"))
    except BaseException:  # Ctrl-C: nobody will use what is still starting
        process.terminate()
        process.wait()
        raise
    state = data.state()
    if state is None or data.holder() != process.pid:
        reason = Path(log.name).read_text(errors="replace").strip().removeprefix("Error: ")
        process.wait()
        raise StackError(reason or "the stack ended while it was starting")
    return state


def running(data: DataDirectory) -> dict[str, Any] | None:
    """The state of the stack that runs on the data and is ready; None when there is none."""
    return data.state() if data.holder() else None


def wait_for_end(state: Mapping[str, Any]) -> None:
    """Wait until the supervisor of that stack has ended."""
    try:
        supervisor = os.pidfd_open(state["supervisor"])
    except ProcessLookupError:
        return
    try:
        _ends(supervisor, None)
    finally:
        os.close(supervisor)


def down(data: DataDirectory) -> int:
    """End the stack on the data and wait until it is gone.

    Returns:
        How many processes were ended: the supervisor, or what a killed one left behind; 0 when none ran.

    Raises:
        StackError: it did not end.
    """
    pid = data.holder()
    if pid is None:
        left = leftovers(data.path.resolve())
        stop_all(left)
        return len(left)
    try:
        supervisor = os.pidfd_open(pid)
    except ProcessLookupError:  # it has just ended by itself
        return 1
    try:
        signal.pidfd_send_signal(supervisor, signal.SIGTERM)
        if not _ends(supervisor, PATIENCE):
            raise StackError(f"the stack on {data.path} (process {pid}) did not end within {PATIENCE:.0f} s")
    finally:
        os.close(supervisor)
    return 1


def _ends(descriptor: int, seconds: float | None) -> bool:
    """Whether the process of that descriptor ends within the time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _arguments(options: Options) -> list[str]:
    arguments = ["up", "--data", str(options.data.resolve()), "--device", options.device]
    if options.workers:
        arguments += ["--workers", str(options.workers)]
    for service, port in options.ports.items():
        arguments += [f"--{service}-port", str(port)]
    if options.state:
        arguments += ["--state", str(options.state.resolve())]
    return arguments
