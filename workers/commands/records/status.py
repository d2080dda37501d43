"""`msk records status`: whether a process keeps the records, and how far it is; for people and for health checks."""

import json
from pathlib import Path

import click

from workers.terminal.options import json_option, state_option

__all__ = ["status"]

#: Seconds for the broker's answer.
PATIENCE = 5.0


@click.command()
@state_option
@json_option
def status(state: Path | None, as_json: bool) -> None:
    """Say whether a process keeps the records, and how far it is; exit 1 if none does."""
    from workers.broker.database import client
    from workers.records.heartbeat import Heartbeat
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    heartbeat = Heartbeat.last(client(settings.broker_url, settings.trust, PATIENCE))
    if as_json:
        click.echo(json.dumps(heartbeat and heartbeat.__dict__))
    elif heartbeat is None:
        click.echo("no process keeps the records: start one with msk records run")
    elif heartbeat.hurried:
        click.echo(f"the index is being made: {heartbeat.walked} instances read, {heartbeat.rows} in it")
    else:
        more = "; more changes wait" if heartbeat.is_behind else ""
        click.echo(f"{heartbeat.rows} instances in the index, up to change {heartbeat.changes}{more}")
    if heartbeat is None:
        raise SystemExit(1)
