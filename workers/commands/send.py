"""`msk send`: radiographs to a PACS, over DICOM."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.options import json_option

if TYPE_CHECKING:
    from workers.pacs.outgoing import Outgoing
    from workers.pacs.send import Sent, Target

__all__ = ["command"]

#: Most problems that are listed; --json lists all.
SHOWN = 50


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--host", help="The receiver's address [127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="Its DICOM port [4242].")
@click.option("--called-aet", default="ORTHANC", show_default=True, help="Its application entity title.")
@click.option("--aet", default="MSKSEND", show_default=True, help="Our application entity title.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="State file of the local stack that receives [without --host and --port: of the one that runs].",
)
@click.option("--senders", type=click.IntRange(1, 64), default=1, show_default=True, help="Associations in parallel.")
@json_option
def command(
    paths: tuple[Path, ...],
    host: str | None,
    port: int | None,
    called_aet: str,
    aet: str,
    state: Path | None,
    senders: int,
    as_json: bool,
) -> None:
    """Send files, and all DICOM, PNG and JPEG files in folders, by C-STORE.

    DICOM files are sent unchanged; PNG and JPEG files are wrapped as DX first. Exit 1 if any was not stored.
    """
    from workers.pacs.outgoing import collect
    from workers.pacs.send import STORED, SendError, Target
    from workers.stack.discovery import local_state_file

    if state is None and host is None and port is None:
        state = local_state_file()
    try:
        named = Target(host or "127.0.0.1", port or 4242, called_aet, aet)
        target = Target.from_state(state, aet) if state else named
        outgoing = collect(paths)
        if not (outgoing.files or outgoing.unsendable):
            raise click.ClickException("nothing to send: no DICOM, PNG or JPEG file was found there")
        start = time.monotonic()
        sent = _send_with_progress(outgoing, target, senders)
    except SendError as error:
        raise click.ClickException(str(error)) from error
    seconds = time.monotonic() - start
    if as_json:
        click.echo(json.dumps(_as_dict(sent, outgoing, seconds)))
    else:
        _print(sent, outgoing, seconds, target)
    if any(one.status != STORED for one in sent):
        raise SystemExit(1)


def _send_with_progress(outgoing: "Outgoing", target: "Target", senders: int) -> list["Sent"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    from workers.pacs.send import deliver

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:.1f}/s", "progress.data.speed")

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), Rate())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("send", total=len(outgoing.files) + len(outgoing.unsendable))
        return deliver(outgoing, target, senders, lambda _: bar.advance(task))


def _as_dict(sent: list["Sent"], outgoing: "Outgoing", seconds: float) -> dict[str, object]:
    from workers.pacs.send import STORED

    stored = sum(one.status == STORED for one in sent)
    return {
        "stored": stored,
        "failed": len(sent) - stored,
        "ignored": outgoing.ignored,
        "seconds": round(seconds, 3),
        "files": [
            {
                "file": str(one.path),
                "status": one.status,
                "sop_instance_uid": one.sop_instance_uid or None,
                "reason": one.reason or None,
            }
            for one in sent
        ],
    }


def _print(sent: list["Sent"], outgoing: "Outgoing", seconds: float, target: "Target") -> None:
    from rich.console import Console
    from rich.table import Table

    from workers.pacs.send import STORED

    failed = [one for one in sent if one.status != STORED]
    if failed:
        table = Table("file", "why it was not stored", box=None)
        for one in failed[:SHOWN]:
            table.add_row(str(one.path), one.reason)
        if len(failed) > SHOWN:
            table.add_row("...", f"and {len(failed) - SHOWN} more; --json lists all")
        Console(highlight=False).print(table)
    stored = len(sent) - len(failed)
    rate = f", {stored / seconds:.1f} a second" if seconds > 0 else ""
    click.echo(f"{stored} of {len(sent)} stored in {target}{rate}")
    if outgoing.ignored:
        click.echo(f"{outgoing.ignored} files that are neither DICOM nor pictures were left out", err=True)
    for one in sent:
        if one.status == STORED and one.reason:
            click.echo(f"{one.path}: stored {one.reason}", err=True)
