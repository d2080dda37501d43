"""Options that mean the same in many commands."""

from pathlib import Path

import click

__all__ = ["json_option", "state_option"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
state_option = click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="State file of a local stack [the one that runs]."
)
