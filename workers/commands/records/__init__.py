"""`msk records`: what people said and did, the index of what Orthanc holds, and the process that keeps them."""

import click

from workers.commands.records.history import audit_log, journal
from workers.commands.records.rebuild import rebuild
from workers.commands.records.run import run
from workers.commands.records.status import status

__all__ = ["command"]


@click.group()
def command() -> None:
    """Records: what people said and did, the index of what Orthanc holds, and the process that keeps them."""


for each in (run, rebuild, status, journal, audit_log):
    command.add_command(each)
