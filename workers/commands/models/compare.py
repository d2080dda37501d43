"""`msk models compare`: compares two versions picture by picture."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.terminal.bars import through
from workers.terminal.options import check_together, device_option, json_option

if TYPE_CHECKING:
    from mskmodel.data.dataset import Unreadable
    from mskmodel.data.labels_file import Labelled
    from mskmodel.judging.gate import Paired
    from mskmodel.registry.classifier import Classifier
    from mskmodel.versions.comparison import Comparison, Said

__all__ = ["compare"]


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--images", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of radiographs.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV: file, label (none = none of the classes).",
)
@device_option
@json_option
def compare(old: str, new: str, images: Path | None, labels: Path | None, device: str, as_json: bool) -> None:
    """Compare NEW with OLD picture by picture, as the gate does, on a folder or on the hold-outs kept with them."""
    from mskmodel.versions.comparison import ComparisonError, compare_kept
    from workers.terminal.chosen_version import open_registry

    check_together(images, labels)
    try:
        if images is None or labels is None:
            result = compare_kept(open_registry(), old, new)
        else:
            result = _compare_on_folder(old, new, images, labels, device, lambda line: click.echo(line, err=True))
    except ComparisonError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"version": result.new.version, **result.to_json()}, allow_nan=False))
    else:
        _print_comparison(result)


def _compare_on_folder(
    old: str, new: str, images: Path, labels: Path, device: str, tell: Callable[[str], None]
) -> "Comparison":
    """On labelled files; calls ``tell`` for each that is not used. Raises TableError, RegistryError."""
    from mskmodel.data.labels_file import read_labels
    from mskmodel.versions.comparison import compare
    from workers.terminal.chosen_version import load_classifier

    classifiers = [load_classifier(version, device) for version in (old, new)]
    classes = list(dict.fromkeys(key for one in reversed(classifiers) for key in one.classes))
    kinds = [key for one in classifiers for key in one.others]
    rows = read_labels(labels, images, [*classes, *kinds])
    (before, _), (after, unreadable) = (_answers(classifier, rows, images) for classifier in classifiers)
    for one in unreadable:
        tell(str(one))
    return compare(before, after, classes, classifiers[0].classes)


def _answers(classifier: "Classifier", rows: "Sequence[Labelled]", images: Path) -> "tuple[Said, Sequence[Unreadable]]":
    from mskmodel.data.labels_file import name_within
    from mskmodel.judging.evaluation import answers
    from mskmodel.versions.comparison import Said
    from workers.settings import radiograph_kinds

    truths = {row.file: row.label for row in rows}
    known = [row if row.label in classifier.classes else replace(row, label=None) for row in rows]
    found = answers(classifier, known, through("radiographs"), radiograph_kinds())
    files = [row.file for row in found.rows]
    names = [name_within(file, images) for file in files]
    told = [truths[file] for file in files]
    said = Said.of(classifier.version, found.logits, classifier.decision, classifier.classes, names, told)
    return said, found.unreadable


def _print_comparison(result: "Comparison") -> None:
    from rich.console import Console
    from rich.table import Table

    def row(one: "Paired") -> tuple[str, ...]:
        counts = (one.count, one.old_right, one.new_right, one.lost, one.won)
        return (one.label, *map(str, counts), f"{one.p_worse:.2g}")

    verdict, console = result.verdict, Console(highlight=False, soft_wrap=True)
    console.print(f"{result.new.version} beside {result.old.version}, on the same {len(result.labels)} images:")
    table = Table("class", "images", "right before", "right now", "lost", "won", "p (worse)")
    for one in (verdict.overall, *verdict.classes):
        if one.count:
            table.add_row(*row(one))
    console.print(table)
    console.print("the gate would let it pass" if verdict.passed else "the gate would refuse it")
    for text in (*verdict.reasons, *verdict.limits):
        console.print(f"  {text}", markup=False)
