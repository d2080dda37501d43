"""`msk send`: radiographs to a PACS, over DICOM."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.options import json_option

if TYPE_CHECKING:
    from workers.pacs.outgoing import Outgoing
    from workers.pacs.send import Sent, Target, Tls

__all__ = ["command"]

#: Most problems that are listed; --json lists all.
SHOWN = 50
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)
WAIT = "Seconds to wait for a receiver that went away or is busy."


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
@click.option("--wait", default=120, show_default=True, type=click.IntRange(0), help=WAIT)
@click.option("--tls", is_flag=True, help="Send over TLS; the receiver's certificate is verified.")
@click.option("--ca-file", type=EXISTING, envvar="MSK_CA_FILE", help="Authorities to trust beside the system's (PEM).")
@click.option("--certificate", type=EXISTING, help="Our certificate, where the receiver wants one (PEM).")
@click.option("--key", type=EXISTING, help="Its key [in the same file]; without a password.")
@click.option("--no-verify", is_flag=True, help="Accept any certificate: whoever is in between reads the images.")
@json_option
def command(
    paths: tuple[Path, ...],
    host: str | None,
    port: int | None,
    called_aet: str,
    aet: str,
    state: Path | None,
    senders: int,
    wait: int,
    as_json: bool,
    **tls: Any,
) -> None:
    """Send files, and all DICOM files and pictures (PNG, JPEG, TIFF...) in folders, by C-STORE.

    DICOM files are sent unchanged, but for a meta header that is missing or contradicts the data set. Pictures are
    wrapped as DX first. Exit 1 if any was not stored.
    """
    from workers.pacs.outgoing import collect
    from workers.pacs.send import STORED, SendError, Target
    from workers.stack.discovery import local_state_file, state_in
    from workers.stack.errors import StackError

    security = _security(**tls)
    if state is None and host is None and port is None:
        state = local_state_file()
    try:
        target = Target(host or "127.0.0.1", port or 4242, called_aet, aet)
        if state:
            with state_in(state) as found:
                target = Target.of_state(found, aet)
        outgoing = collect(paths)
        if not (outgoing.files or outgoing.unsendable):
            _print_left_out(outgoing)
            raise click.ClickException("nothing to send: no DICOM file and no picture was found there")
        start = time.monotonic()
        sent = _send_with_progress(outgoing, replace(target, tls=security), senders, wait)
    except (SendError, StackError) as error:
        raise click.ClickException(str(error)) from error
    seconds = time.monotonic() - start
    if as_json:
        click.echo(json.dumps(_as_dict(sent, outgoing, seconds)))
    else:
        _print(sent, outgoing, seconds, target)
    if any(one.status != STORED for one in sent):
        raise SystemExit(1)


def _security(
    *, tls: bool, ca_file: Path | None, certificate: Path | None, key: Path | None, no_verify: bool
) -> "Tls | None":
    from workers.pacs.send import Tls
    from workers.tls import Trust

    if not tls:
        if certificate or key or no_verify:
            raise click.UsageError("--certificate, --key and --no-verify go with --tls")
        return None
    if key and not certificate:
        raise click.UsageError("--key goes with --certificate")
    if no_verify:
        click.echo("the receiver's certificate is not verified: anybody may pose as it", err=True)
    return Tls(Trust(ca_file, not no_verify), certificate, key)


def _send_with_progress(outgoing: "Outgoing", target: "Target", senders: int, wait: int) -> list["Sent"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    from workers.pacs.send import deliver

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:.1f}/s", "progress.data.speed")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate())
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("sending", total=len(outgoing.files) + len(outgoing.unsendable))

        def say_waiting(reason: str) -> None:
            bar.update(task, description="waiting" if reason else "sending")
            console.print(f"waiting up to {wait} s: {reason}" if reason else "it answers again", markup=False)

        return deliver(outgoing, target, senders, lambda _: bar.advance(task), patience=wait, on_waiting=say_waiting)


def _as_dict(sent: list["Sent"], outgoing: "Outgoing", seconds: float) -> dict[str, object]:
    from workers.pacs.send import STORED

    stored = sum(one.status == STORED for one in sent)
    return {
        "stored": stored,
        "failed": len(sent) - stored,
        "ignored": len(outgoing.left_out),
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
        "left_out": [{"file": str(path), "reason": reason} for path, reason in outgoing.left_out],
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
    _print_left_out(outgoing)
    for one in sent:
        if one.status == STORED and one.reason:
            click.echo(f"{one.path}: stored {one.reason}", err=True)


def _print_left_out(outgoing: "Outgoing") -> None:
    left_out = outgoing.left_out
    for path, reason in left_out[:SHOWN]:
        click.echo(f"left out: {path}: {reason}", err=True)
    if len(left_out) > SHOWN:
        click.echo(f"left out: {len(left_out) - SHOWN} more; --json lists all", err=True)
