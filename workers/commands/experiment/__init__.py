"""`msk experiment`: what is known about the model, to be found out again by anybody."""

import click

from workers.commands.experiment.ship import ship
from workers.commands.experiment.study import study
from workers.commands.experiment.suggest import suggest

__all__ = ["command"]


@click.group()
def command() -> None:
    """What is known about the model, to be found out again by anybody."""


command.add_command(ship)
command.add_command(study)
command.add_command(suggest)
