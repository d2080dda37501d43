"""`msk experiment priors`: whether relevant priors are found, by labels and by headers alone."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import counting, through
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.experiments.priors import Pixels
    from mskmodel.registry.classifier import Classifier

__all__ = ["priors"]

#: Seed of the phantoms that are rendered: no model has learned from these.
_SEED = 77
_BATCH = 25


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--phantoms", type=click.IntRange(1), default=8, show_default=True, help="Phantoms of each view.")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option("--workers", type=click.IntRange(1), help="Processes that render phantoms; without it, one per core.")
@click.option("--patients", type=click.IntRange(1), default=300, show_default=True, help="Patients of each seed.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Runs, each with other patients.")
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints them alone.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def priors(
    directory: Path,
    phantoms: int,
    model: str | None,
    workers: int | None,
    patients: int,
    seeds: int,
    json_file: Path | None,
    report: Path | None,
) -> None:
    """Simulate patients who come again, and count the relevant earlier visits that are found.

    What is relevant is fixed by published rules. Half of the headers lie or say nothing. Phantoms stay in DIRECTORY and
    are reused; the rest takes a minute.
    """
    from mskmodel.experiments.priors import run
    from mskmodel.experiments.priors_report import priors_figures, priors_page, priors_table
    from mskmodel.phantoms import RenderingUnavailable
    from mskmodel.registry import RegistryError
    from workers.terminal.chosen_version import load_classifier

    directory.mkdir(parents=True, exist_ok=True)
    try:
        classifier = load_classifier(model, "auto")
        pixels = _pixels(classifier, *_rendered(directory, phantoms, workers))
    except (RegistryError, RenderingUnavailable) as error:
        raise click.ClickException(str(error)) from error
    found = run(pixels, patients, through("seeds")(range(1, seeds + 1)))
    page = report or directory / "report.html"
    lead = f"{seeds} times {patients} patients; model {classifier.version}"
    write(page, priors_page(found, classifier.version, lead))
    if json_file:
        write(json_file, json.dumps(priors_figures(found, classifier.version), indent=1, allow_nan=False))
    if json_file != Path("-"):
        from rich.console import Console

        Console().print(on_screen(priors_table(found)))
        click.echo(f"report: {page}")


def _rendered(directory: Path, each: int, workers: int | None) -> tuple[list[Path], list[str]]:
    """Files of phantoms, and the views that they show; existing ones are reused."""
    from mskmodel.experiments.simulated_patients import VIEWS
    from mskmodel.phantoms import making
    from mskmodel.tables.table import read_table

    folder, count = directory / f"phantoms-{each}", each * len(VIEWS)
    if not (folder / making.TRUTH).is_file():
        with counting("phantoms", count) as show:
            making.make(folder, count, _SEED, workers, VIEWS, lambda done, _: show(done))
    rows = read_table(folder / making.TRUTH, "file", "shows").rows
    return [folder / row["file"] for row in rows], [row["shows"] for row in rows]


def _pixels(classifier: "Classifier", files: list[Path], shows: list[str]) -> "Pixels":
    """The model's answers to the phantoms."""
    from mskmodel.dicom.reading import read_image
    from mskmodel.experiments.priors import Pixels
    from mskmodel.registry.decision import Classification

    found: dict[str, list[Classification]] = {}
    with counting("answers", len(files)) as show:
        for first in range(0, len(files), _BATCH):
            some = slice(first, first + _BATCH)
            images = [classifier.prepare(read_image(file)) for file in files[some]]
            for view, answer in zip(shows[some], classifier.classify(images), strict=True):
                found.setdefault(view, []).append(answer)
            show(min(first + _BATCH, len(files)))
    return Pixels(tuple(classifier.classes), classifier.decision, found)
