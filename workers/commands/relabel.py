"""`msk relabel`: have the archive labelled by the version that is served now."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import counting
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.ledger import Ledger
    from workers.reconciliation.relabelling import Relabelling

__all__ = ["command"]

#: Seconds between two looks at the queue.
POLL_SECONDS = 0.5
#: Consecutive passes over the archive without progress after which the command gives up.
PASSES = 3


@click.command()
@click.option("--older", is_flag=True, help="All that another version labelled, or an earlier release.")
@click.option("--failed", is_flag=True, help="All that failed, whatever the reason.")
@click.option("--skipped", is_flag=True, help="All that were skipped, if MSK_RADIOGRAPHS now names their SOP class.")
@click.option("--wait", is_flag=True, help="Wait until it is done. Ctrl-C ends the waiting, not the work.")
@state_option
@json_option
def command(older: bool, failed: bool, skipped: bool, wait: bool, state: Path | None, as_json: bool) -> None:
    """Enqueue instances to be labelled again, behind all new studies; truths stay.

    It may be stopped and run again at any time: instances that are done or already wait are left out.
    """
    from mskmodel.registry import Registry, read_manifest
    from workers.broker.celery_app import publisher
    from workers.ledger import Ledger
    from workers.pacs import OrthancClient
    from workers.reconciliation.relabelling import Wanted, relabel
    from workers.stack.discovery import find_settings

    if not (older or failed or skipped):
        raise click.UsageError("say what is to be labelled again: --older, --failed, --skipped or several of them")
    settings = find_settings(state)
    version = str(read_manifest(Registry(settings.models).promoted())["version"])
    orthanc = OrthancClient.of(settings)
    ledger, app = Ledger.of(settings), publisher(settings)

    def enqueue_with_progress(*, failed: bool = False, skipped: bool = False) -> "Relabelling":
        wanted = Wanted(version, older, failed, settings.kinds if skipped else None)
        with counting("looking", orthanc.statistics().instances) as show:
            return relabel(app, orthanc, ledger, wanted, show)

    result = enqueue_with_progress(failed=failed, skipped=skipped)
    _print(version, result, as_json)
    if wait:
        # What fails or is skipped again now is not asked for once more.
        _wait(version, result, ledger, enqueue_with_progress)


def _wait(version: str, result: "Relabelling", ledger: "Ledger", again: "Callable[[], Relabelling]") -> None:
    """Repeat the passes until one finds nothing to do."""
    fruitless = 0
    while result.enqueued or result.waiting:
        before = result.enqueued
        _watch(ledger)
        result = again()
        fruitless = fruitless + 1 if result.enqueued >= before > 0 else 0
        if fruitless == PASSES:
            raise click.ClickException(
                f"{result.enqueued} instances still have the label of another version: search the label workers' logs "
                f"for model-not-loaded; one of them may be unable to load {version}"
            )
    click.echo(f"nothing is left to be labelled by {version}", err=True)


def _watch(ledger: "Ledger") -> None:
    """Wait until the queue is empty, and a moment longer for the instances that were taken last."""
    from workers.broker.queues import BACKFILL

    total = ledger.depth()[BACKFILL]
    with counting("labelling", total) as show:
        while left := ledger.depth()[BACKFILL]:
            show(total - left)
            time.sleep(POLL_SECONDS)
    time.sleep(POLL_SECONDS)


def _print(version: str, result: "Relabelling", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"version": version, **asdict(result)}))
        return
    click.echo(
        f"{result.enqueued} enqueued to be labelled by {version}; {result.waiting} wait already, "
        f"{result.current} were labelled by it, {result.other} are left as they are (skipped, failed, not labelled yet)"
    )
