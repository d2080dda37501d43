"""`msk models`: lists, shows, compares, promotes and rolls back model versions."""

import click

from workers.commands.models.compare import compare
from workers.commands.models.promote import promote, rollback
from workers.commands.models.show import list_versions, show
from workers.terminal.options import json_option

__all__ = ["command"]


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List, show, compare, promote and roll back model versions."""
    if not ctx.invoked_subcommand:
        ctx.invoke(list_versions, as_json=as_json)


for each in (list_versions, show, compare, promote, rollback):
    command.add_command(each)
