"""The study's figures for people and for programs: a page with curves and every mistake, and plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.cases import Cases
from mskmodel.experiments.study import Recipe, Run, judged
from mskmodel.judging import plots
from mskmodel.judging.evaluation import ClassScore, Evaluation
from mskmodel.judging.evaluation_report import bounds, calibration, confusion, mistakes, rate, unpadded
from mskmodel.judging.intervals import Interval, wilson
from mskmodel.judging.judgement import Judgement
from mskmodel.judging.report import Figure, Figures, Item, Section, Table, page

__all__ = ["study_figures", "study_page", "study_table"]

_FIGURES = {
    "top1": "top-1 accuracy",
    "mean_recall": "mean recall over classes",
    "top5_error": "top-5 error",
    "calibration_error": "calibration error",
}
#: What the study reports of its 154 radiographs.
_PUBLISHED = {"top1": "0.974", "top5_error": "0.000"}
#: Figures that are shares of radiographs: only for these is there an interval over several seeds.
_SHARES = ("top1", "top5_error")


def study_figures(recipe: Recipe, weights: str, cases: Cases, classes: Sequence[str], runs: Sequence[Run]) -> Any:
    """Everything as plain values, for JSON. ``all``: the answers of all seeds together."""
    _, together = judged(runs, cases, classes)
    seeds = [
        {
            "seed": one.seed,
            "training": one.trained_on,
            "validation": len(one.rows),
            "minutes": one.minutes,
            "losses": one.losses,
            "validation_top1": one.top1,
        }
        | _plain(judged([one], cases, classes)[1])
        for one in runs
    ]
    intervals = {name: asdict(interval) for name, interval in _intervals(together, runs).items() if interval}
    return {
        "recipe": asdict(recipe),
        "weights": weights,
        "radiographs": len(cases.files),
        "patients": len(np.unique(cases.patients)),
        "sha256": cases.digest(),
        "different_validation_radiographs": _different(runs),
        "seeds": seeds,
        "all": _plain(together) | {"intervals": intervals},
        "unreadable": [{"file": str(one.file), "reason": one.reason} for one in cases.unreadable],
    }


def study_table(cases: Cases, classes: Sequence[str], runs: Sequence[Run]) -> Table:
    """One row per figure, one column per seed."""
    each = [judged([one], cases, classes)[1] for one in runs]
    together = judged(runs, cases, classes)[1]
    intervals = _intervals(together, runs)
    head = ("figure", "the study", *(f"seed {one.seed}" for one in runs), "all", "95 %")
    rows = [
        (
            title,
            _PUBLISHED.get(name, ""),
            *(rate(getattr(one, name)) for one in each),
            rate(getattr(together, name)),
            bounds(intervals.get(name)),
        )
        for name, title in _FIGURES.items()
    ]
    return Table(head, rows)


def study_page(recipe: Recipe, weights: str, cases: Cases, classes: Sequence[str], runs: Sequence[Run]) -> str:
    """The report as an HTML page."""
    answers, together = judged(runs, cases, classes)
    looks = f", from {len(recipe.looks)} looks instead of one" if len(recipe.looks) > 1 else ""
    curves = Figures(
        [
            Figure(plots.curves({_name(one): one.losses for one in runs}, "loss"), "Mean training loss of an epoch."),
            Figure(
                plots.curves({_name(one): one.top1 for one in runs}, "top-1 accuracy", percent=True),
                f"On the validation radiographs. The last epoch counts{looks}; none is chosen by this curve.",
            ),
        ]
    )
    sections = [
        Section("Figures", [_explained(runs), study_table(cases, classes, runs)]),
        Section("Recipe", _recipe(recipe, weights, cases, classes, runs)),
        Section("Curves", [curves]),
        Section("Classes", [_class_table(together.classes)]),
        Section("Confusion", [confusion(answers, classes, abstains=False)]),
        Section("Confidence", [calibration(answers, None)]),
        Section("Mistakes", _mistakes(answers, cases, classes, runs)),
    ]
    if cases.unreadable:
        rows = [(one.file.name, one.reason) for one in cases.unreadable]
        sections.append(Section("Not read", [Table(("file", "why"), rows)]))
    shown = f"top-1 accuracy {rate(together.top1)}, top-5 error {rate(together.top5_error)}"
    lead = f"{len(classes)} classes, {len(runs)} seeds, {recipe.epochs} epochs: {shown}"
    return page("The study's recipe" + (", augmented" if recipe.augmented else ""), lead, sections)


def _explained(runs: Sequence[Run]) -> str:
    counts = ", ".join(f"{one.trained_on} and {len(one.rows)}" for one in runs)
    return (
        f"Radiographs to train on and to validate on, seed by seed: {counts}; no patient is on both sides. Each seed "
        f"has its own split, first weights and order, so that {_different(runs)} different radiographs were validated "
        "on. The intervals (Wilson) are for that number: a radiograph that two seeds judge counts once."
    )


def _recipe(recipe: Recipe, weights: str, cases: Cases, classes: Sequence[str], runs: Sequence[Run]) -> list[Item]:
    whole = recipe.hidden == (4096, 4096) and "convolutions only" not in weights
    layers = "all but the last layer" if whole else "the five convolutions"
    head = " - ".join(str(width) for width in (9216, *recipe.hidden, len(classes)))
    learning = f"{recipe.highest_rate:g}, down to 0 along a cosine"
    if recipe.augmented:
        window, enhanced = "percentiles 0.5 and 99.5 of the image", "adaptive equalisation, OpenCV"
        learning = f"up to {learning}"
        drawn, augmentation = "each class as often as any other", "this program's"
        smoothing = f"{recipe.settings.label_smoothing:g}"
        looks = ", ".join(f"{zoom:g} at {degrees:g}" for zoom, degrees in recipe.looks)
        answer = f"mean of {len(recipe.looks)} looks and their mirror images; zoom at degrees turned: {looks}"
    else:
        window, enhanced = "the whole range of the bit depth", "adaptive equalisation, scikit-image"
        drawn, augmentation = "each radiograph once an epoch", "none"
        smoothing = "none"
        answer = "of the radiograph unchanged"
    rows = [
        ("radiographs", "793 to train, 154 to validate", f"{runs[0].trained_on} and {len(runs[0].rows)}"),
        ("split", "", "by patient, at random"),
        ("classes", "13", str(len(classes))),
        ("window and level", "from the bit depth", window),
        ("low-contrast regions", "enhanced", enhanced),
        ("shape", "not said", "224 x 224, aspect kept, black around it"),
        ("network", "AlexNet", "AlexNet, torchvision's variant"),
        ("ImageNet weights", "not said which layers", f"{layers} ({weights})"),
        ("fully connected layers", "not said", head + ("" if whole else ", fresh")),
        ("layers trained", "not said", f"all but the first {recipe.frozen} convolutions" if recipe.frozen else "all"),
        ("optimiser", "SGD, momentum 0.9, weight decay 3e-4", f"SGD, {recipe.momentum}, {recipe.weight_decay:g}"),
        ("learning rate", "not said", learning),
        ("epochs", "50", str(recipe.epochs)),
        ("batch", "50", str(recipe.batch)),
        ("drawn", "not said", drawn),
        ("augmentation", "none named", augmentation),
        ("label smoothing", "none named", smoothing),
        ("answer to a radiograph", "not said", answer),
    ]
    items: list[Item] = [Table(("", "published", "here"), rows)]
    empty = [key for number, key in enumerate(classes) if number not in cases.pictures.labels]
    if empty:
        items.append(f"There were no radiographs of {', '.join(empty)}.")
    if cases.left_out:
        items.append(f"{cases.left_out} radiographs of none of the classes were left out: the study has no such class.")
    return items


def _class_table(scores: Sequence[ClassScore]) -> Table:
    rows = [
        (
            one.label,
            str(one.count),
            rate(one.recall),
            rate(one.precision),
            ", ".join(f"{key} {count}" for key, count in one.taken_for.items()),
        )
        for one in scores
    ]
    return Table(("class", "validations", "recall", "precision", "taken for"), rows)


def _mistakes(answers: Judgement, cases: Cases, classes: Sequence[str], runs: Sequence[Run]) -> list[Item]:
    rows = np.concatenate([one.rows for one in runs])
    seeds = np.repeat([one.seed for one in runs], [len(one.rows) for one in runs])
    pictures = cases.pictures

    def look(answer: int) -> tuple[NDArray[np.uint8], str]:
        row = rows[answer]
        height, width = pictures.extents[row].tolist()
        return unpadded(pictures.values[row], height, width), f"seed {seeds[answer]}, {cases.files[row]}"

    return mistakes(answers, classes, look)


def _different(runs: Sequence[Run]) -> int:
    return len(np.unique(np.concatenate([one.rows for one in runs])))


def _intervals(together: Evaluation, runs: Sequence[Run]) -> dict[str, Interval | None]:
    different = _different(runs)
    return {name: wilson(getattr(together, name) * different, different) for name in _SHARES}


def _plain(result: Evaluation) -> dict[str, Any]:
    kept = {name: getattr(result, name) for name in _FIGURES}
    intervals = {name: asdict(result.intervals[name]) for name in _FIGURES if name in result.intervals}
    classes = [
        {"label": one.label, "count": one.count, "recall": one.recall, "taken_for": one.taken_for}
        for one in result.classes
    ]
    return kept | {"intervals": intervals, "classes": classes}


def _name(run: Run) -> str:
    return f"seed {run.seed}"
