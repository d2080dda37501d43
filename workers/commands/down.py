"""`msk down`: end a stack."""

from pathlib import Path

import click

from workers.terminal.stack_options import data_option

__all__ = ["command"]


@click.command()
@data_option()
def command(data: Path) -> None:
    """End the stack that runs on a data directory, and wait until it is gone."""
    from workers.stack.control import down
    from workers.stack.data_directory import DataDirectory

    ended = down(DataDirectory(data.resolve()))
    click.echo(f"the stack on {data} has ended" if ended else f"nothing runs on {data}")
