"""`msk records`: the index of what Orthanc holds, and the process that keeps it."""

import click

from workers.commands.records.rebuild import rebuild
from workers.commands.records.run import run
from workers.commands.records.status import status

__all__ = ["command"]


@click.group()
def command() -> None:
    """Records: the index of what Orthanc holds, what the site's headers are worth, and the process that keeps both."""


for each in (run, rebuild, status):
    command.add_command(each)
