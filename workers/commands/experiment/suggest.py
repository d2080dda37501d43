"""`msk experiment suggest`: whether corrections that `msk jobs suggest` names beat random ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import counting, through
from workers.terminal.options import check_together
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mskmodel.data.cases import Cases
    from mskmodel.data.dataset import Pictures
    from mskmodel.experiments.suggestion import Plan, Site
    from mskmodel.registry.classifier import Classifier

__all__ = ["suggest"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
#: Seed of the phantoms that are rendered: no model has learned from these.
_SEED = 77


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", type=_FOLDER, help="Radiographs of an archive; without it, phantoms are rendered.")
@click.option("--labels", type=_FILE, help="CSV of --images: file, label (none = none of the classes), patient.")
@click.option("--count", type=click.IntRange(1), default=1200, show_default=True, help="Phantoms to render.")
@click.option("--new-class", "new", multiple=True, help="Class that the model does not know; of phantoms, a view.")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option("--rehearsal", type=click.IntRange(0), default=260, show_default=True, help="Phantoms to rehearse.")
@click.option("--workers", type=click.IntRange(1), help="Processes that render phantoms; without it, one per core.")
@click.option("--seeds", type=click.IntRange(2), default=20, show_default=True, help="Runs, each with its own split.")
@click.option("--each", type=click.IntRange(1), help="Corrections per round.  [default: 50]")
@click.option("--rounds", type=click.IntRange(1), help="Rounds of corrections.  [default: 5]")
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints them alone.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def suggest(
    directory: Path,
    images: Path | None,
    labels: Path | None,
    count: int,
    new: tuple[str, ...],
    model: str | None,
    rehearsal: int,
    workers: int | None,
    seeds: int,
    json_file: Path | None,
    report: Path | None,
    **chosen: Any,
) -> None:
    """Simulate a person who corrects suggested radiographs, and one who corrects as many random ones.

    The model learns from each of them, round by round, and is judged on patients that neither has seen. Phantoms,
    prepared pixels and the model's features stay in DIRECTORY and are reused; the rest takes a few seconds per seed.
    Use radiographs that the model has not learned from.
    """
    import numpy as np

    from mskmodel.data.cases import read_cases
    from mskmodel.experiments.suggestion import ARMS, Plan, PoolTooSmall, run
    from mskmodel.experiments.suggestion_report import suggestion_figures, suggestion_page
    from mskmodel.phantoms import RenderingUnavailable
    from mskmodel.registry import RegistryError
    from workers.terminal.chosen_version import load_classifier

    check_together(images, labels)
    plan = Plan(**{name: value for name, value in chosen.items() if value is not None})
    directory.mkdir(parents=True, exist_ok=True)
    try:
        classifier = load_classifier(model, "auto")
        classes = (*classifier.classes, *(each for each in new if each not in classifier.classes))
        if images is None or labels is None:
            images, labels = _archive(directory, count, classes, workers)
        cases = read_cases(images, labels, classes, classifier.preprocessing, directory, through("reading"), none=True)
        site = _site(classifier, classes, cases, directory, rehearsal, workers)
        runs = [run(site, plan, seed) for seed in through("seeds")(range(1, seeds + 1))]
    except (PoolTooSmall, RegistryError, RenderingUnavailable) as error:
        raise click.ClickException(str(error)) from error
    found = {arm: np.array([one[arm] for one in runs]) for arm in ARMS}
    page = report or directory / "report.html"
    lead = f"{len(cases.files)} radiographs of {len(np.unique(cases.patients))} patients, {seeds} seeds"
    write(page, suggestion_page(plan, site, found, classifier.version, lead))
    if json_file:
        figures = suggestion_figures(plan, site, found, classifier.version, cases.digest())
        write(json_file, json.dumps(figures, indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(cases, plan, found, page)


def _archive(directory: Path, count: int, classes: tuple[str, ...], workers: int | None) -> tuple[Path, Path]:
    """Folder and labels file of phantoms in a hospital's mix, two visits per patient; existing ones are reused."""
    from mskmodel.experiments.suggestion import ARCHIVE
    from mskmodel.phantoms import making
    from mskmodel.tables.label_cell import NONE
    from mskmodel.tables.table import read_table, write_table

    folder = directory / f"archive-{count}"
    if not (folder / making.TRUTH).is_file():
        with counting("phantoms", count) as show:
            making.make(folder, count, _SEED, workers, ARCHIVE, lambda done, _: show(done), visits=2)
    shown = read_table(folder / making.TRUTH, "file", "shows", "patient").rows
    rows = [(row["file"], row["shows"] if row["shows"] in classes else NONE, row["patient"]) for row in shown]
    labels = directory / "labels.csv"
    write_table(labels, ("file", "label", "patient"), rows)
    return folder, labels


def _site(
    classifier: "Classifier",
    classes: tuple[str, ...],
    cases: "Cases",
    directory: Path,
    rehearsal: int,
    workers: int | None,
) -> "Site":
    from mskmodel.data import rehearsal as phantoms
    from mskmodel.experiments.suggestion import Site

    with counting("phantoms to rehearse", rehearsal) as show:
        rehearsed = phantoms.rehearsal(
            directory, rehearsal, classes, classifier.preprocessing, workers or 1, lambda done, _: show(done)
        )
    features = _features(classifier, cases.pictures, directory)
    return Site.of(
        classifier,
        classes,
        (features, cases.pictures.labels, cases.patients),
        (_features(classifier, rehearsed, directory), rehearsed.labels),
    )


def _features(classifier: "Classifier", pictures: "Pictures", directory: Path) -> "NDArray[np.float32]":
    """The model's features of the radiographs; computed once, then kept in the directory."""
    import hashlib

    import numpy as np

    from mskmodel.experiments.suggestion import features_of

    key = hashlib.sha256(f"{pictures.digest()} {classifier.version}".encode()).hexdigest()[:16]
    kept = directory / f"features-{key}.npy"
    if not kept.is_file():
        with counting("features", len(pictures)) as show:
            made = features_of(classifier, pictures, show)
        partial = kept.with_suffix(".partial.npy")
        np.save(partial, made)
        partial.replace(kept)
    found: NDArray[np.float32] = np.load(kept, allow_pickle=False)
    return found


def _print(cases: "Cases", plan: "Plan", found: "dict[str, NDArray[np.float64]]", page: Path) -> None:
    from rich.console import Console

    from mskmodel.experiments.suggestion import MEASURES
    from mskmodel.experiments.suggestion_report import suggestion_table, verdict

    for one in cases.unreadable:
        click.echo(str(one))
    for number in range(len(MEASURES)):
        Console().print(on_screen(suggestion_table(plan, found, number)))
        click.echo(verdict(plan, found, number))
    click.echo(f"report: {page}")
