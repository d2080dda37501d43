"""`msk up`: a whole stack on this machine."""

import contextlib
import os
from typing import Any

import click

from workers.stack.options import Options
from workers.terminal.stack_options import stack_options

__all__ = ["command"]


@click.command()
@stack_options()
@click.option("--detach", is_flag=True, help="Return when the stack is ready; `msk down` ends it.")
@click.option("--report", type=int, hidden=True, help="File descriptor for the progress; closed when all is ready.")
def command(options: Options, detach: bool, report: int | None) -> None:
    """Run Orthanc, Valkey, gateway, workers and scheduler on this machine.

    All data is kept in one folder, where the next start finds it again. Ctrl-C ends the stack.
    """
    from workers.stack.control import start_in_background
    from workers.stack.up import up
    from workers.terminal.stack_view import Screen, welcome

    screen = Screen()
    if detach:
        screen.tell(welcome(start_in_background(options, screen.tell)))
    elif report is not None:
        _reporting(options, report, screen)
    else:
        up(options, say=screen.say, show_log=screen.log, ready=lambda state: screen.tell(welcome(state)))


def _reporting(options: Options, descriptor: int, screen: Any) -> None:
    """Run a stack in the background, and report the progress to the process that reads from the descriptor."""
    from workers.stack.up import up

    report = os.fdopen(descriptor, "w", buffering=1)

    def say(name: str, what: str) -> None:
        screen.say(name, what)
        if not report.closed:
            with contextlib.suppress(BrokenPipeError):  # the stack goes on without a reader
                report.write(f"{name:<12} {what}\n")

    up(options, say=say, show_log=lambda *_: None, ready=lambda _: report.close())
