"""`msk weights`: the ImageNet weights that training would start from."""

import json
from pathlib import Path

import click

from workers.terminal.options import json_option

__all__ = ["command"]


@click.command()
@click.option("--path", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file of your own.")
@json_option
def command(path: Path | None, as_json: bool) -> None:
    """Find ImageNet weights of AlexNet (and download them once); exit 1 if there are none."""
    import logging

    from mskmodel.network.weights import WeightsUnavailable, find

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        found = find(path)
    except WeightsUnavailable as error:
        raise click.ClickException(str(error)) from error
    numbers = sum(tensor.numel() for tensor in found.tensors.values())
    if as_json:
        click.echo(json.dumps({"source": found.source, "numbers": numbers, "tensors": sorted(found.tensors)}))
    else:
        click.echo(f"{found.source}: {numbers:,} numbers in {len(found.tensors)} tensors")
