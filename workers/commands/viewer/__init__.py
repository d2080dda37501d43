"""`msk viewer`: OHIF, for the gateway to serve, or our configuration for an OHIF elsewhere."""

import click

from workers.commands.viewer.configuration import configuration
from workers.commands.viewer.fetch import fetch

__all__ = ["command"]


@click.group()
def command() -> None:
    """OHIF, a viewer that hangs studies by their labels."""


for each in (fetch, configuration):
    command.add_command(each)
