"""`msk evaluate`: how good a model is on a folder of labelled radiographs."""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.bars import through
from workers.terminal.options import device_option
from workers.terminal.output_file import OutputFile, write
from workers.terminal.tables import on_screen

if TYPE_CHECKING:
    from mskmodel.data.labels_file import Labelled
    from mskmodel.evidence.claim import Claims
    from mskmodel.judging.evaluation import Evaluation
    from mskmodel.radiograph import HeaderTexts
    from mskmodel.tables.table import Table

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
#: In place of a column: the headers of the DICOM files themselves.
_OWN = "dicom"


@click.command()
@click.option("--images", required=True, type=_FOLDER, help="Folder of DICOM files or pictures.")
@click.option("--labels", required=True, type=_FILE, help="CSV: file, label (none = none of the classes).")
@click.option("--model", help="A version's name or directory; without it, the one that is served.")
@click.option(
    "--classes",
    help="Keys of the version's classes to judge by, separated by commas; others count as none. Without it, all.",
)
@device_option
@click.option(
    "--headers",
    metavar="COLUMN",
    help=f"Also judge with headers: {_OWN} for the files' own, or a column of --labels with such texts.",
)
@click.option(
    "--json",
    "json_file",
    type=OutputFile(dash=True),
    metavar="FILE",
    help="Write the figures to this file; - prints them alone.",
)
@click.option("--report", type=OutputFile(), metavar="FILE.html", help="Write a page with plots and every mistake.")
def command(
    images: Path,
    labels: Path,
    model: str | None,
    classes: str | None,
    device: str,
    headers: str | None,
    json_file: Path | None,
    report: Path | None,
) -> None:
    """Judge a model version on labelled radiographs; exit 1 if none of them could be read.

    Accuracy, recall and top-5 error judge the likeliest class, whether or not the model abstains. Files that cannot be
    read are listed but not counted, and so are those that show the same picture as another.
    """
    from mskmodel.data.labels_file import labelled_rows, read_labels_table
    from mskmodel.judging.evaluation import answers, narrowed, score, with_headers
    from workers.settings import radiograph_kinds
    from workers.terminal.chosen_version import load_classifier

    kinds = radiograph_kinds()
    classifier = load_classifier(model, device)
    table = read_labels_table(labels)
    judged = _judged(classes, classifier.classes)
    rows = labelled_rows(table, images, (*classifier.classes, *classifier.others))
    whole = answers(classifier, rows, through("radiographs"), kinds, _claims(headers, table))
    said, decision = narrowed(whole, classifier.classes, classifier.decision, judged)
    result = score(said.logits, said.labels, judged, decision, said.unreadable)
    together = None
    if headers:
        heard, by_all = with_headers(whole, classifier.classes, classifier.decision)
        heard, by_all = narrowed(heard, classifier.classes, by_all, judged)
        together = score(heard.logits, heard.labels, judged, by_all, heard.unreadable)
    if json_file:
        write(json_file, json.dumps(_as_json(classifier.version, result, together), indent=1, allow_nan=False))
    if json_file != Path("-"):
        _print(classifier.version, result, together)
    if report:
        from mskmodel.judging.evaluation_report import evaluation_page

        lead = _lead(classifier.version, result)
        write(report, evaluation_page(classifier, images, said, result, lead, decision, kinds, together))
    if result.count + result.none_count == 0:
        raise SystemExit(1)


def _judged(classes: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The classes to judge by, in the order that was asked for."""
    if classes is None:
        return known
    asked = tuple(dict.fromkeys(classes.split(",")))
    if missing := [key for key in asked if key not in known]:
        told = f"not among the version's classes: {', '.join(missing)}; these are {', '.join(known)}"
        raise click.BadParameter(told, param_hint="--classes")
    return asked


def _claims(headers: str | None, table: "Table") -> "Callable[[Labelled, HeaderTexts], Claims] | None":
    """What is claimed of a row; a column's text counts as a series description. Texts of a site's own claim nothing."""
    from mskmodel.evidence.claim import claims_of
    from mskmodel.radiograph import HeaderTexts

    # Nobody has learned what a site's own codes mean here, so they may have other hashes each time.
    secret = secrets.token_bytes()
    if headers is None:
        return None
    if headers == _OWN:
        return lambda _, texts: claims_of(texts, secret)
    if not table.has(headers):
        raise click.BadParameter(f"{table.path} has no column {headers}", param_hint="--headers")
    said = {row.line: row[headers] for row in table.rows}
    return lambda row, _: claims_of(HeaderTexts(series_description=said[row.line]), secret)


def _as_json(version: str, result: "Evaluation", together: "Evaluation | None") -> dict[str, Any]:
    figures = {"model": version} | _plain(result)
    return figures | {"with_headers": _plain(together)} if together else figures


def _plain(result: "Evaluation") -> dict[str, Any]:
    return asdict(result) | {"unreadable": [asdict(one) | {"file": str(one.file)} for one in result.unreadable]}


def _print(version: str, result: "Evaluation", together: "Evaluation | None") -> None:
    from rich.console import Console

    from mskmodel.judging.evaluation_report import class_table, figure_table

    console = Console()
    console.print(_lead(version, result), highlight=False, soft_wrap=True)
    for table in (figure_table(result), class_table(result)):
        console.print()
        console.print(on_screen(table))
    if together:
        console.print("\nPixels and headers together:")
        console.print(on_screen(figure_table(together)))
    for one in result.unreadable:
        console.print(str(one), highlight=False, markup=False, soft_wrap=True)


def _lead(version: str, result: "Evaluation") -> str:
    counted = f"{result.count} images of the classes, {result.none_count} of none of them"
    return f"model {version}: {counted}, {len(result.unreadable)} not read"
