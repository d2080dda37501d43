"""`msk evaluate`: how good a model is on a folder of labelled radiographs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mskmodel.dataset import Labelled
    from mskmodel.evaluation import Evaluation

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--images", required=True, type=_FOLDER, help="Folder of DICOM, PNG or JPEG files.")
@click.option("--labels", required=True, type=_FILE, help="CSV with the columns file and label (empty = none).")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def command(images: Path, labels: Path, model: str | None, device: str, json_file: Path | None) -> None:
    """Judge a model version on labelled radiographs; exit 1 if none of them could be read."""
    from mskmodel.dataset import LabelsError, read_labels
    from mskmodel.evaluation import evaluate
    from workers.models import load_classifier

    classifier = load_classifier(model, device)
    try:
        rows = read_labels(labels, images, classifier.classes)
    except LabelsError as error:
        raise click.ClickException(str(error)) from error
    result = evaluate(classifier, rows, _with_progress)
    if json_file:
        json_file.write_text(json.dumps(_as_json(classifier.version, result), indent=1) + "\n")
    _print(classifier.version, result)
    if result.count + result.none_count == 0:
        raise SystemExit(1)


def _with_progress(rows: "Sequence[Labelled]") -> "Iterator[Labelled]":
    from rich.console import Console
    from rich.progress import track

    yield from track(rows, "radiographs", console=Console(stderr=True), transient=True)


def _as_json(version: str, result: "Evaluation") -> dict[str, Any]:
    figures = asdict(result)
    figures["unreadable"] = [{"file": str(one.file), "reason": one.reason} for one in result.unreadable]
    return {"model": version} | figures


def _print(version: str, result: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"model {version}: {result.count} of the classes, {result.none_count} of none of them")
    figures = Table("figure", "value", show_header=False)
    for name, value in (
        ("top-1 accuracy", result.top1),
        ("mean recall over classes", result.mean_recall),
        ("top-5 error", result.top5_error),
        ("abstained", result.abstained),
        ("accuracy when answered", result.accuracy_when_answered),
        ("none of the classes: labelled all the same", result.none_labelled),
        ("none of the classes: AUROC", result.none_auroc),
        ("calibration error", result.calibration_error),
    ):
        figures.add_row(name, _rate(value))
    console.print(figures)
    table = Table("class", "images", "recall", "precision", "abstained", "taken for")
    for one in result.classes:
        taken = ", ".join(f"{key} {count}" for key, count in one.taken_for.items())
        rates = (_rate(one.recall), _rate(one.precision), _rate(one.abstained))
        table.add_row(one.label, str(one.count), *rates, taken)
    console.print(table)
    for unread in result.unreadable:
        console.print(f"not read: {unread.file}: {unread.reason}")


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
