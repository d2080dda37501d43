"""Options that mean the same in many commands, and what is wrong with their values."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import torch

__all__ = ["check_together", "chosen_device", "device_option", "json_option", "state_option"]

device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
state_option = click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="State file of a local stack [the one that runs]."
)


def chosen_device(name: str) -> "torch.device":
    """The device of `--device`. Raises click.BadParameter if it is not here."""
    from mskmodel.registry.classifier import choose_device

    try:
        return choose_device(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--device") from error


def check_together(images: Path | None, labels: Path | None) -> None:
    """Raise click.UsageError if only one of `--images` and `--labels` is given."""
    if (images is None) != (labels is None):
        raise click.UsageError("--images and --labels go together")
