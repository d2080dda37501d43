"""`msk evidence`: what the site's headers are worth."""

import click

from workers.commands.evidence.show import show

__all__ = ["command"]


@click.group()
def command() -> None:
    """Evidence: what the headers of this site say, and how often they are right."""


command.add_command(show)
