"""The report that is kept with a version: how it was trained, and where it differs from the one that was served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.data import dataset
from mskmodel.judging import plots
from mskmodel.judging.evaluation_report import unpadded
from mskmodel.judging.gate import NONE, Paired
from mskmodel.judging.report import Figure, Figures, Item, Picture, Pictures, Section, Table, page
from mskmodel.registry import REPORT
from mskmodel.versions.comparison import ANSWERS, ANSWERS_BEFORE, Comparison, Said
from mskmodel.versions.kept_pictures import PICTURES, packed

__all__ = ["reports", "version_report"]

#: Pictures shown at most.
SHOWN = 120

_ABSTAINED = "abstained"
_NOT_JUDGED = "another class"


def reports(
    manifest: Mapping[str, Any],
    comparison: Comparison,
    losses: Sequence[float],
    accuracies: Sequence[float],
    held_out: dataset.Pictures,
) -> dict[str, bytes]:
    """Files to keep beside the weights, by name. ``held_out``: the pictures of the comparison."""

    def look(row: int) -> NDArray[np.uint8]:
        rows, columns = held_out.extents[row].tolist()
        return unpadded(held_out.values[row], rows, columns)

    return {
        REPORT: version_report(manifest, comparison, losses, accuracies, look),
        ANSWERS: comparison.new.to_json(),
        ANSWERS_BEFORE: comparison.old.to_json(),
        PICTURES: packed(comparison.new.pictures, look),
    }


def version_report(
    manifest: Mapping[str, Any],
    comparison: Comparison,
    losses: Sequence[float],
    accuracies: Sequence[float],
    look: Callable[[int], NDArray[np.uint8]],
) -> bytes:
    """The report as an HTML page.

    ``losses``, ``accuracies``: after each epoch. ``look``: pixels of a row of the comparison, (rows, columns) uint8;
    nothing of a DICOM header gets into the page.
    """
    verdict = comparison.verdict
    lead = f"{'Passed' if verdict.passed else 'Refused by'} the gate, against {comparison.old.version}."
    sections = [
        Section("Verdict", [*_sentences(verdict.reasons), *_sentences(verdict.limits), _paired_table(comparison)]),
        Section("Training", [_training_table(manifest), *_curves(losses, accuracies)]),
        Section("Confusion", [_confusion(comparison)]),
        Section("Where they differ", _differences(comparison, look)),
    ]
    return page("A new version and the one before", lead, sections).encode()


def _sentences(texts: Sequence[str]) -> list[str]:
    return [f"{text[0].upper()}{text[1:]}." for text in texts]


def _paired_table(comparison: Comparison) -> Table:
    verdict = comparison.verdict
    head = ("class", "images", "right before", "right now", "lost", "won", "p (worse)")
    rows = [_row(one) for one in (verdict.overall, *verdict.classes) if one.count]
    return Table(head, rows, "The same held-out images under both; p by McNemar's exact test, one-sided.")


def _row(one: Paired) -> tuple[str, ...]:
    counts = (one.count, one.old_right, one.new_right, one.lost, one.won)
    return (one.label, *map(str, counts), f"{one.p_worse:.2g}")


def _training_table(manifest: Mapping[str, Any]) -> Table:
    settings = manifest.get("training", {})
    shown = {name: settings[name] for name in ("epochs", "views", "batch", "rate", "seed") if name in settings}
    rows = [("started from", str(manifest.get("starting_weights", "-")))]
    rows += [(name, str(value)) for name, value in shown.items()]
    rows += [
        (f"images: {one['name']}", f"{one['count']} ({one['share']:.0%} of the draws)") for one in manifest["data"]
    ]
    rows += [("held out", str(manifest["holdout"]["count"])), ("classes", ", ".join(manifest["classes"]))]
    return Table(("", ""), rows)


def _curves(losses: Sequence[float], accuracies: Sequence[float]) -> list[Item]:
    drawn = []
    if losses:
        drawn.append(Figure(plots.curves({"loss": losses}, "loss"), "Mean loss of each epoch, on augmented images."))
    if accuracies:
        figure = plots.curves({"accuracy": accuracies}, "accuracy", percent=True)
        drawn.append(Figure(figure, "Accuracy of the likeliest class, on held-out images."))
    return [Figures(drawn)] if drawn else []


def _confusion(comparison: Comparison) -> Figures:
    return Figures(
        [
            Figure(_matrix(comparison, comparison.old), f"Before: {comparison.old.version}."),
            Figure(_matrix(comparison, comparison.new), "Now."),
        ]
    )


def _matrix(comparison: Comparison, said: Said) -> str:
    """Confusion matrix of what is written; abstentions are a column of their own."""
    classes = comparison.classes
    answers = said.answers(classes)
    foreign = bool((answers.labelled & (answers.likeliest < 0)).any())
    columns = [*classes, _ABSTAINED, *([_NOT_JUDGED] if foreign else [])]
    written = np.where(answers.likeliest < 0, len(classes) + 1, answers.likeliest)
    written = np.where(answers.labelled, written, len(classes))
    none = bool((comparison.labels == len(classes)).any())
    counts = np.zeros((len(classes) + none, len(columns)), np.int64)
    np.add.at(counts, (comparison.labels, written), 1)
    return plots.confusion_matrix(counts, [*classes, NONE] if none else list(classes), columns)


def _differences(comparison: Comparison, look: Callable[[int], NDArray[np.uint8]]) -> list[Item]:
    """What the new version lost first, what it won last, and between them what both have right or both have wrong."""
    rows = comparison.differing
    if not len(rows):
        return ["Both versions say the same of every image."]
    names = [*comparison.classes, NONE]
    pictures = [
        Picture.of(
            look(row),
            (
                f"true: {names[comparison.labels[row]]}",
                f"before: {_said(comparison.old, row)}",
                f"now: {_said(comparison.new, row)}",
                comparison.new.pictures[row],
            ),
        )
        for row in rows[:SHOWN].tolist()
    ]
    shown = f", {SHOWN} of them below" if len(rows) > SHOWN else ""
    return [
        f"{len(rows)} of {len(comparison.labels)} images{shown}; those that only the new version has wrong come first.",
        Pictures(pictures),
    ]


def _said(said: Said, row: int) -> str:
    left = "" if said.labelled[row] else f", {_ABSTAINED}"
    return f"{said.likeliest[row]} {said.confidence[row]:.2f}{left}"
