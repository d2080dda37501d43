"""`msk audit`: what became of every instance."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import counting
from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.ledger import Ledger
    from workers.pacs import OrthancClient
    from workers.reconciliation.audit import Audit

__all__ = ["command"]


@click.command()
@state_option
@click.option("--fix", is_flag=True, help="Enqueue the instances that are unaccounted for.")
@json_option
def command(state: Path | None, fix: bool, as_json: bool) -> None:
    """Count the instances in Orthanc by status; exit 1 if any is unaccounted for."""
    from workers.broker.celery_app import publisher
    from workers.broker.queues import BACKFILL
    from workers.ledger import Ledger, enqueue
    from workers.pacs import OrthancClient
    from workers.reconciliation.age import AgeRule, by_queue
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    orthanc = OrthancClient.of(settings)
    ledger = Ledger.of(settings)
    result = _audit_with_progress(orthanc, ledger)
    if fix and result.unaccounted:
        for queue, found in by_queue(orthanc, AgeRule.of(settings), result.unaccounted, BACKFILL).items():
            enqueue(publisher(settings), ledger, found, queue)
    if as_json:
        click.echo(json.dumps(result.as_dict()))
    else:
        _print(result)
    if result.unaccounted:
        if fix:
            click.echo(f"{len(result.unaccounted)} enqueued", err=True)
        raise SystemExit(1)


def _audit_with_progress(orthanc: "OrthancClient", ledger: "Ledger") -> "Audit":
    from workers.reconciliation.audit import audit

    with counting("instances", orthanc.statistics().instances) as show:
        return audit(orthanc, ledger, show)


def _print(result: "Audit") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("status", "instances", "reason")
    table.columns[1].justify = "right"
    for status, count in result.counts.items():
        table.add_row(status, str(count), "")
        for reason, times in result.reasons.get(status, {}).items():
            table.add_row("", str(times), reason)
    Console().print(table)
    for instance_id in result.unaccounted:
        click.echo(f"unaccounted: {instance_id}", err=True)
