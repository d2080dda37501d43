"""`msk phantom`: synthetic radiographs, with no patient in them."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from workers.terminal.bars import counting

__all__ = ["command"]


@click.group()
def command() -> None:
    """Synthetic radiographs, with no patient in them."""


@command.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="Phantoms in all.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same files.")
@click.option("--workers", type=click.IntRange(1), help="Processes; without it, one per core.")
@click.option(
    "--visits", type=click.IntRange(1), default=1, show_default=True, help="Visits of a patient, for one view."
)
@click.option("--only", "only", multiple=True, help="A class or neighbour. Repeatable; without it, all.")
@click.option("--classes", is_flag=True, help="Only the 13 classes, no neighbours.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def make(
    directory: Path,
    count: int,
    seed: int,
    workers: int | None,
    visits: int,
    only: tuple[str, ...],
    classes: bool,
    as_json: bool,
) -> None:
    """Write phantoms as DICOM files into DIRECTORY, each view in turn, and their true labels to truth.csv there.

    Some headers are wrong or incomplete on purpose; truth.csv is always right.
    """
    from mskmodel.phantoms import making, views

    unknown = [name for name in only if name not in views.NAMES]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(views.NAMES)}", param_hint="--only")
    names = only or (tuple(views.CLASSES) if classes else views.TURN)
    with counting("phantoms", count) as show:
        truth = making.make(directory, count, seed, workers, names, lambda done, _: show(done), visits)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in truth], indent=1))
    else:
        click.echo(f"{len(truth)} phantoms in {directory}; what they show is in {directory / making.TRUTH}")
