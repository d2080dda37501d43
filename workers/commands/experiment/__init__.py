"""`msk experiment`: experiments that reproduce what is known about the model."""

import click

from workers.commands.experiment.evidence import evidence
from workers.commands.experiment.exemplars import exemplars
from workers.commands.experiment.priors import priors
from workers.commands.experiment.ship import ship
from workers.commands.experiment.site import site
from workers.commands.experiment.study import study
from workers.commands.experiment.suggest import suggest

__all__ = ["command"]


@click.group()
def command() -> None:
    """Reproduce what is known about the model."""


command.add_command(evidence)
command.add_command(exemplars)
command.add_command(priors)
command.add_command(ship)
command.add_command(site)
command.add_command(study)
command.add_command(suggest)
