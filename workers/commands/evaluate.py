"""`msk evaluate`: how good a model is on a folder of labelled radiographs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import through
from workers.terminal.options import device_option
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.judging.evaluation import Evaluation

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--images", required=True, type=_FOLDER, help="Folder of DICOM files or pictures.")
@click.option("--labels", required=True, type=_FILE, help="CSV: file, label (none = none of the classes).")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@device_option
@click.option(
    "--json",
    "json_file",
    type=OutputFile(dash=True),
    metavar="FILE",
    help="Write the figures to this file; - prints them alone.",
)
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Write a page with plots and every mistake.")
def command(
    images: Path, labels: Path, model: str | None, device: str, json_file: Path | None, report: Path | None
) -> None:
    """Judge a model version on labelled radiographs; exit 1 if none of them could be read.

    Accuracy, recall and top-5 error judge the likeliest class, whether or not the model abstains. Files that cannot be
    read are listed but not counted, and so are those that show the same picture as another.
    """
    from mskmodel.data.labels_file import read_labels
    from mskmodel.judging.evaluation import answers, score
    from workers.settings import radiograph_kinds
    from workers.terminal.chosen_version import load_classifier

    kinds = radiograph_kinds()
    classifier = load_classifier(model, device)
    rows = read_labels(labels, images, classifier.classes)
    said = answers(classifier, rows, through("radiographs"), kinds)
    result = score(said.logits, said.labels, classifier.classes, classifier.decision, said.unreadable)
    if json_file:
        write(json_file, json.dumps(_as_json(classifier.version, result), indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(classifier.version, result)
    if report:
        from mskmodel.judging.evaluation_report import evaluation_page

        write(report, evaluation_page(classifier, images, said, result, _lead(classifier.version, result), kinds))
    if result.count + result.none_count == 0:
        raise SystemExit(1)


def _as_json(version: str, result: "Evaluation") -> dict[str, Any]:
    figures = asdict(result)
    figures["unreadable"] = [asdict(one) | {"file": str(one.file)} for one in result.unreadable]
    return {"model": version} | figures


def _print(version: str, result: "Evaluation") -> None:
    from rich.console import Console

    from mskmodel.judging.evaluation_report import class_table, figure_table

    console = Console()
    console.print(_lead(version, result), highlight=False, soft_wrap=True)
    for table in (figure_table(result), class_table(result)):
        console.print()
        console.print(on_screen(table))
    for one in result.unreadable:
        console.print(str(one), highlight=False, markup=False, soft_wrap=True)


def _lead(version: str, result: "Evaluation") -> str:
    counted = f"{result.count} images of the classes, {result.none_count} of none of them"
    return f"model {version}: {counted}, {len(result.unreadable)} not read"
