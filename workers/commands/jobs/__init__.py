"""`msk jobs`: training jobs, from corrected labels to a promoted model."""

import click

from workers.commands.jobs.follow import cancel, list_latest, show, watch
from workers.commands.jobs.submit import submit
from workers.commands.jobs.suggest import suggest

__all__ = ["command"]


@click.group()
def command() -> None:
    """Training jobs: learn from what people said, be judged beside the served model, serve if not worse."""


for each in (submit, list_latest, show, watch, cancel, suggest):
    command.add_command(each)
