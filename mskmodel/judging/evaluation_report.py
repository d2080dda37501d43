"""The figures of `evaluation` as parts of a report, for people: tables, plots, and every mistake as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_image
from mskmodel.judging import plots
from mskmodel.judging.evaluation import Answers, Evaluation
from mskmodel.judging.figures import FIGURES
from mskmodel.judging.intervals import Interval
from mskmodel.judging.judgement import Judgement
from mskmodel.judging.report import Figure, Figures, Item, Picture, Pictures, Section, Table, page
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import NotClassifiable
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision

__all__ = [
    "FIGURES", "bounds", "calibration", "class_table", "confusion", "evaluation_page", "figure_table", "mistakes",
    "rate", "unpadded",
]  # fmt: skip

_NONE, _ABSTAINED = "none of them", "abstained"
_EXPLAINED = (
    "Accuracy, recall and top-5 error count the likeliest class, whether or not the model abstains. Precision counts "
    "the labels that are given. The intervals are 95 %: Wilson's for shares, Newcombe's method 5 for the area under "
    "the ROC curve, and for the mean recall 10,000 bootstrap samples drawn within each class, where a class without a "
    "mistake adds no width. They take the images to be independent: several of one patient make them a little too "
    "narrow. With few images, chance alone makes a calibration error, even if the confidences are perfectly calibrated."
)
_TOGETHER = (
    "The same figures of pixels and headers together, each header worth what literature says of headers in general. "
    "Everything else on this page is of the pixels alone."
)

#: Side of the pictures of mistakes, pixels.
_SHOWN = 256


def evaluation_page(
    classifier: Classifier,
    images: Path,
    said: Answers,
    result: Evaluation,
    lead: str,
    decision: Decision,
    kinds: RadiographKinds = BY_DEFAULT,
    together: Evaluation | None = None,
) -> str:
    """The report as an HTML page. ``images``: folder that file names are relative to. Reads files of mistakes again.

    ``decision``: that ``result`` was made by. ``kinds``: what counts as a radiograph. ``together``: figures of pixels
    and headers, if there are any.
    """
    classes = [one.label for one in result.classes]
    judged = Judgement.of(said.logits, said.labels, decision)
    sections = [Section("Figures", [_EXPLAINED, figure_table(result)]), Section("Classes", [class_table(result)])]
    if together:
        sections.insert(1, Section("With headers", [_TOGETHER, figure_table(together)]))
    if len(judged.labels):
        sections += [
            Section("Confusion", [confusion(judged, classes)]),
            Section("Confidence", [calibration(judged, decision.threshold)]),
        ]

    def look(row: int) -> tuple[NDArray[np.uint8], str]:
        file = said.rows[row].file
        return _thumbnail(file, classifier.preprocessing, kinds), _within(file, images)

    sections.append(Section("Mistakes", mistakes(judged, classes, look)))
    if said.unreadable:
        rows = [(_within(one.file, images), one.reason) for one in said.unreadable]
        sections.append(Section("Not read", [Table(("file", "why"), rows)]))
    return page("Evaluation", lead, sections)


def rate(value: float | None) -> str:
    """A figure between 0 and 1 as text, ``-`` for None."""
    return "-" if value is None else f"{value:.3f}"


def bounds(interval: Interval | None) -> str:
    """The ends of an interval as text, empty for None."""
    return "" if interval is None else f"{interval.low:.3f}-{interval.high:.3f}"


def figure_table(result: Evaluation) -> Table:
    """Every figure with its interval."""
    found = [(name, title, result.intervals.get(name)) for name, title in FIGURES.items()]
    rows = [
        (title, rate(getattr(result, name)), bounds(interval), interval.method if interval else "")
        for name, title, interval in found
    ]
    return Table(("figure", "value", "95 %", "interval by"), rows)


def class_table(result: Evaluation) -> Table:
    """One row per class."""
    rows = [
        (
            one.label,
            str(one.count),
            rate(one.recall),
            bounds(one.recall_interval),
            rate(one.precision),
            rate(one.abstained),
            ", ".join(f"{key} {count}" for key, count in one.taken_for.items()),
        )
        for one in result.classes
    ]
    return Table(("class", "images", "recall", "95 %", "precision", "abstained", "taken for"), rows)


def confusion(judged: Judgement, classes: Sequence[str], abstains: bool = True) -> Figures:
    """Confusion matrices of the likeliest class and, for a model that ``abstains``, of the label that is written."""
    true = [*classes, _NONE] if (~judged.ours).any() else list(classes)
    likeliest = _counted(judged.labels, judged.best, len(true), len(classes))
    drawn = [
        Figure(
            plots.confusion_matrix(likeliest, true, classes), "The likeliest class, whether or not the model abstains."
        )
    ]
    if abstains:
        written = np.where(judged.answered, judged.best, len(classes))
        counts = _counted(judged.labels, written, len(true), len(classes) + 1)
        said = [*classes, _ABSTAINED]
        drawn.append(Figure(plots.confusion_matrix(counts, true, said), "The label written, or an abstention."))
    return Figures(drawn)


def calibration(judged: Judgement, threshold: float | None) -> Figures:
    """How far the confidence can be trusted. ``threshold``: least confidence of a label, if there is one."""
    ours, confidence, right = judged.ours, judged.confidence, judged.right
    drawn = [
        Figure(
            plots.reliability_diagram(confidence, right),
            "On the dashed line, accuracy equals confidence. Numbers: images in the bin. Images of none of the classes "
            "count as wrong.",
        ),
        Figure(
            plots.risk_coverage(confidence, right, threshold),
            "If only the surest images are answered: how many of these answers are wrong.",
        ),
        Figure(
            plots.confidence_histograms(confidence[ours], confidence[~ours], threshold),
            "The further apart the groups, the better the threshold lets the classes through and keeps the others out.",
        ),
    ]
    return Figures(drawn)


def mistakes(
    judged: Judgement, classes: Sequence[str], look: Callable[[int], tuple[NDArray[np.uint8], str]]
) -> list[Item]:
    """A picture of every mistake, the surest first. ``look``: pixels of a row, and a line that identifies the file."""
    rows = np.flatnonzero(judged.mistaken)
    rows = rows[np.argsort(-judged.confidence[rows], kind="stable")]
    if not len(rows):
        return ["There are none."]
    names = [*classes, _NONE]
    pictures = []
    for row in rows.tolist():
        values, found_by = look(row)
        left = "" if judged.answered[row] else " (abstained)"
        said = f"taken for {classes[judged.best[row]]}, {judged.confidence[row]:.2f}{left}"
        pictures.append(Picture.of(values, (names[judged.labels[row]], said, found_by)))
    return [f"{len(rows)} of {len(judged.labels)} images, the surest mistakes first.", Pictures(pictures)]


def _thumbnail(file: Path, preprocessing: Preprocessing, kinds: RadiographKinds) -> NDArray[np.uint8]:
    """As the network sees it, without padding and enhancement; black where it cannot be read any more."""
    try:
        picture = preprocessing.frame(read_image(file, kinds=kinds), _SHOWN)
    except (NotClassifiable, OSError):
        return np.zeros((1, 1), np.uint8)
    return unpadded(picture.values, picture.rows, picture.columns)


def unpadded(values: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """The picture without its padding: these rows and columns in the middle."""
    top, left = ((side - part) // 2 for side, part in zip(values.shape, (rows, columns), strict=True))
    return values[top : top + rows, left : left + columns]


def _within(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else file.name


def _counted(true: NDArray[np.int64], said: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    counts = np.zeros((rows, columns), np.int64)
    np.add.at(counts, (true, said), 1)
    return counts
