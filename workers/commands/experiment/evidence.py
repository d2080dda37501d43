"""`msk experiment evidence`: what headers and siblings add to the pixels, by simulated sites."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import through
from workers.terminal.options import device_option
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.experiments.evidence import Radiographs, Result
    from mskmodel.registry.classifier import Classifier

__all__ = ["evidence"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", required=True, type=_FOLDER, help="Radiographs that the model has not learned from.")
@click.option(
    "--labels",
    required=True,
    type=_FILE,
    help="CSV: file, label (none = none of the classes) and, of these, shows (such as hand_oblique).",
)
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each site.")
@click.option("--stream", type=click.IntRange(1), help="Radiographs that a site learns from.  [default: 500]")
@device_option
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints them alone.")
@click.option("--csv", "csv_file", type=OutputFile(), metavar="FILE.csv", help="The same, two rows a run.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def evidence(
    directory: Path,
    images: Path,
    labels: Path,
    model: str | None,
    seeds: int,
    stream: int | None,
    device: str,
    json_file: Path | None,
    csv_file: Path | None,
    report: Path | None,
) -> None:
    """Simulate sites whose headers are wrong more or less often, and sites with several radiographs a study.

    Headers and studies are made up around real radiographs. The model's answers to them stay in DIRECTORY and are
    reused; the rest takes about ten seconds per seed and 100 radiographs.
    """
    from mskmodel.experiments.evidence import Plan, run, settings
    from mskmodel.experiments.evidence_report import COLUMNS, evidence_figures, evidence_page, evidence_rows
    from mskmodel.registry import RegistryError
    from mskmodel.tables.table import write_table
    from workers.terminal.chosen_version import load_classifier

    plan = Plan() if stream is None else Plan(stream=stream)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        classifier = load_classifier(model, device)
    except RegistryError as error:
        raise click.ClickException(str(error)) from error
    radiographs = _radiographs(classifier, images, labels, directory)
    runs = [(site, seed) for site in settings(plan) for seed in range(1, seeds + 1)]
    results = [one for site, seed in through("sites")(runs) for one in run(radiographs, site, plan, seed)]
    page = report or directory / "report.html"
    lead = f"{len(radiographs.labels)} radiographs, {seeds} seeds"
    write(page, evidence_page(plan, results, classifier.version, lead))
    if csv_file:
        write_table(csv_file, COLUMNS, evidence_rows(results))
    if json_file:
        figures = evidence_figures(plan, radiographs, results, classifier.version)
        write(json_file, json.dumps(figures, indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(results, page)


def _radiographs(classifier: "Classifier", images: Path, labels: Path, directory: Path) -> "Radiographs":
    from mskmodel.data.labels_file import labelled_rows, read_labels_table
    from mskmodel.experiments.evidence import Radiographs
    from mskmodel.experiments.kept_answers import kept_answers
    from mskmodel.experiments.simulated_site import shown
    from workers.settings import radiograph_kinds

    table = read_labels_table(labels)
    shows = {row.line: row["shows"] for row in table.rows}
    rows = labelled_rows(table, images, classifier.classes)
    said = kept_answers(classifier, rows, radiograph_kinds(), directory, through("radiographs"))
    for one in said.unreadable:
        click.echo(str(one), err=True)
    if not said.rows:
        raise click.ClickException("none of the radiographs could be read")
    return Radiographs(
        tuple(classifier.classes),
        classifier.decision,
        classifier.decision.probabilities(said.logits),
        said.labels,
        tuple(shown(row.label, shows[row.line], classifier.classes) for row in said.rows),
    )


def _print(results: "list[Result]", page: Path) -> None:
    from rich.console import Console

    from mskmodel.experiments.evidence_report import evidence_tables

    console = Console()
    for table in evidence_tables(results):
        console.print(f"\n{table.caption} All evidence and, in brackets, the pixels alone:")
        console.print(on_screen(table))
    click.echo(f"report: {page}")
