"""`msk experiment site`: the whole loop at a site that the model has not met, from suggestion to gate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import TrainingBar, counting, through
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.experiments.site import Plan, Round, Site
    from mskmodel.registry.classifier import Classifier

__all__ = ["site"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_ARMS = ("suggested", "at random", "shuffled")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", required=True, type=_FOLDER, help="Radiographs that the model has not learned from.")
@click.option("--labels", required=True, type=_FILE, help="CSV: file, label (none = none of the classes), patient.")
@click.option("--corrections", type=click.IntRange(1), default=60, show_default=True, help="In each round.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="Rounds of corrections.")
@click.option("--seeds", type=click.IntRange(2), default=2, show_default=True, help="Runs, each trained anew.")
@click.option(
    "--arm", "arms", type=click.Choice(_ARMS), multiple=True, help="Ways to choose corrections.  [default: all]"
)
@click.option("--without", multiple=True, metavar="COLUMN=TEXT", help="Do not rehearse exemplars with TEXT in COLUMN.")
@click.option("--rehearsal", type=click.IntRange(0), default=260, show_default=True, help="Phantoms to rehearse.")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option("--workers", type=click.IntRange(1), help="Processes that render phantoms; without it, one per core.")
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints them alone.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def site(
    directory: Path,
    images: Path,
    labels: Path,
    corrections: int,
    rounds: int,
    seeds: int,
    arms: tuple[str, ...],
    without: tuple[str, ...],
    rehearsal: int,
    model: str | None,
    workers: int | None,
    json_file: Path | None,
    report: Path | None,
) -> None:
    """Play a site that corrects radiographs and trains, by what training jobs do.

    Versions are judged on all that nobody corrected. Phantoms, prepared pixels and finished runs stay in DIRECTORY and
    are reused. A round takes two minutes on 2 idle cores. Exemplars of patients whom the labels name are never
    rehearsed.
    """
    from mskmodel.experiments.site import Plan, TooFew
    from mskmodel.experiments.site_report import site_figures, site_page
    from mskmodel.phantoms import RenderingUnavailable
    from mskmodel.registry import RegistryError
    from workers.terminal.chosen_version import load_classifier

    plan = Plan(corrections, rounds)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        played = _site(load_classifier(model, "cpu"), images, labels, without, rehearsal, directory, workers)
        runs = {
            arm: [_kept_run(played, plan, arm, seed, directory) for seed in range(1, seeds + 1)]
            for arm in arms or _ARMS
        }
    except (RegistryError, RenderingUnavailable, TooFew) as error:
        raise click.ClickException(str(error)) from error
    page = report or directory / "report.html"
    lead = f"{len(played.archive)} radiographs, {seeds} seeds"
    write(page, site_page(plan, played, runs, lead))
    if json_file:
        figures = site_figures(plan, played.served.version, runs)
        write(json_file, json.dumps(figures, indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(runs, page)


def _site(
    classifier: "Classifier",
    images: Path,
    labels: Path,
    without: tuple[str, ...],
    rehearsal: int,
    directory: Path,
    workers: int | None,
) -> "Site":
    from mskmodel.data import rehearsal as phantoms
    from mskmodel.data.cases import read_cases
    from mskmodel.data.dataset import Pictures
    from mskmodel.data.exemplars import COLUMNS, FOLDER, TABLE, read_exemplars
    from mskmodel.data.labels_file import PATIENT, read_labels_table
    from mskmodel.experiments.site import Site
    from mskmodel.tables.table import read_table
    from mskmodel.versions.conversion import logits_of
    from workers.terminal.skip_option import skip_rules

    classes, prepare = classifier.classes, classifier.preprocessing
    cases = read_cases(images, labels, classes, prepare, directory, through("reading"), none=True)
    for one in cases.unreadable:
        click.echo(str(one), err=True)
    (left_out,) = skip_rules(without, [read_table(FOLDER / TABLE, *COLUMNS)])
    patients = {row[PATIENT] for row in read_labels_table(labels).rows}
    keys = (*classes, *classifier.others)
    exemplars = read_exemplars(keys, prepare, left_out, patients) if rehearsal else Pictures.framed([], [], keys)
    with counting("phantoms to rehearse", rehearsal) as show:
        shown = phantoms.rehearsal(directory, rehearsal, keys, prepare, workers or 1, lambda done, _: show(done))
    logits = logits_of(classifier.model, cases.pictures, prepare)
    return Site(classifier, cases.pictures, cases.patients, logits, shown, exemplars)


def _kept_run(played: "Site", plan: "Plan", arm: str, seed: int, directory: Path) -> "list[Round]":
    """A run; read from the directory until anything changes that it depends on."""
    import hashlib
    from dataclasses import asdict

    from mskmodel.experiments.site import Round, run
    from mskmodel.whole_file import write_whole

    digest = hashlib.sha256(f"{plan!r} {arm} {seed} {played.served.version}".encode())
    for pictures in (played.archive, played.phantoms, played.exemplars):
        digest.update(pictures.digest().encode())
    digest.update(played.patients.tobytes())
    kept = directory / f"run-{digest.hexdigest()[:16]}.json"
    if not kept.is_file():
        with TrainingBar(f"{arm}, seed {seed}") as bar:
            made = run(played, plan, arm, seed, bar.show)
        write_whole(kept, json.dumps([asdict(one) for one in made], allow_nan=False).encode())
    return [Round(**one) for one in json.loads(kept.read_text())]


def _print(runs: "dict[str, list[list[Round]]]", page: Path) -> None:
    from rich.console import Console

    from mskmodel.experiments.site_report import site_tables

    console = Console()
    for table in site_tables(runs):
        console.print(f"\n{table.caption}")
        console.print(on_screen(table))
    click.echo(f"report: {page}")
