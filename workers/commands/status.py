"""`msk status`: whether a stack runs, and where."""

import json
from pathlib import Path

import click

from workers.terminal.stack_options import data_option

__all__ = ["command"]


@click.command()
@data_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, without the passwords.")
@click.pass_context
def command(context: click.Context, data: Path, as_json: bool) -> None:
    """Show whether a stack runs on a data directory, and its addresses; exit 1 when none does."""
    from workers.stack.control import running
    from workers.stack.data_directory import DataDirectory
    from workers.terminal.stack_view import addresses, without_secrets

    state = running(DataDirectory(data.resolve()))
    if as_json:
        click.echo(json.dumps({"running": state is not None} | (without_secrets(state) if state else {}), indent=2))
    elif state:
        click.echo(addresses(state))
        click.echo("  processes         " + ", ".join(f"{p['name']} {p['pid']}" for p in state["processes"]))
    else:
        click.echo(f"no stack is ready on {data}; start one with: msk up --data {data}")
    context.exit(0 if state else 1)
