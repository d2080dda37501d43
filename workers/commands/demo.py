"""`msk demo`: the whole system on this machine, with radiographs that are labelled while you watch."""

import json
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from workers.stack.options import Options
from workers.terminal.stack_options import stack_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from workers.stack.demo import Radiograph

__all__ = ["command"]


@click.command()
@stack_options("msk-demo")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="Phantoms of each class.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Each seed gives other phantoms.")
@click.option("--exit", "leave", is_flag=True, help="Do not stay up; exit 0 only if every radiograph has an outcome.")
@click.option(
    "--patience", type=click.FloatRange(1), default=120, show_default=True, help="Seconds to wait for the next outcome."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON; the rest to standard error.")
@click.pass_context
def command(
    context: click.Context, options: Options, count: int, seed: int, leave: bool, patience: float, as_json: bool
) -> None:
    """Start a stack, send it phantoms of every class and real radiographs, and watch them being labelled.

    Without --exit the stack stays up, for you to explore, until Ctrl-C.
    """
    from workers.stack.control import down, start_in_background, wait_for_end
    from workers.stack.data_directory import DataDirectory
    from workers.stack.demo import comparisons
    from workers.terminal.stack_view import welcome

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM takes the stack down, as Ctrl-C does
    tell = partial(click.echo, err=as_json)
    state = start_in_background(options, tell, ends_with_me=True)
    missing: list[str] | None = None
    try:
        radiographs = _show(state, count, seed, patience, as_json)
        missing = [f"{one.shows} ({one.file.name})" for one in radiographs if one.outcome is None]
        tell(welcome(state))
        tell(comparisons(radiographs, state["gateway"]["url"]))
        if not leave:
            tell("Ctrl-C ends the stack.")
            wait_for_end(state)
    except KeyboardInterrupt:
        tell("ending the stack")
    finally:
        down(DataDirectory(options.data.resolve()))
    for line in missing or []:
        click.echo(f"without an outcome: {line}", err=True)
    # With --exit the status is the verdict; an interrupted demo counts as failed.
    context.exit(1 if leave and missing != [] else 0)


def _update(progress: "Progress", bar: "TaskID", done: int, of: int) -> None:
    progress.update(bar, completed=done, total=of)


def _show(state: dict[str, Any], count: int, seed: int, patience: float, as_json: bool) -> "list[Radiograph]":
    """Render, send and follow; returns the radiographs."""
    import tempfile
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from rich.console import Console
    from rich.live import Live
    from rich.progress import MofNCompleteColumn, Progress

    from workers.pacs import OrthancClient
    from workers.stack import demo
    from workers.stack.data_directory import DataDirectory

    orthanc = OrthancClient(*(state["orthanc"][part] for part in ("url", "user", "password")))
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = 140
    log = DataDirectory(Path(state["data"])).logs / "phantoms.log"
    with tempfile.TemporaryDirectory(prefix="msk-demo-") as folder:
        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
            radiographs = []
            for what, make in (
                ("rendering phantoms", partial(demo.phantoms, Path(folder), count)),
                ("two patients who come twice", partial(demo.visits, Path(folder))),
            ):
                bar = progress.add_task(what, total=None)
                show = partial(_update, progress, bar)
                radiographs += make(seed, log, show)
        radiographs += demo.real_radiographs()
        with ThreadPoolExecutor(1) as sender, Live(console=console, auto_refresh=False) as live:
            sending = sender.submit(demo.store, radiographs, orthanc, state)
            for _ in demo.follow(radiographs, orthanc, patience):
                live.update(demo.table(radiographs), refresh=True)
                if sending.done():
                    sending.result()
    console.print()
    console.print(demo.summary(radiographs), style="bold", highlight=False)
    if as_json:
        click.echo(json.dumps([demo.as_dict(radiograph) for radiograph in radiographs]))
    return radiographs
