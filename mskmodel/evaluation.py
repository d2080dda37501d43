"""How good a model is on labelled radiographs, by the path that serves it: file, preprocessing, decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskmodel.classifier import Classifier, Decision
from mskmodel.dataset import Labelled, Unreadable
from mskmodel.dicom import read_image
from mskmodel.radiograph import NotClassifiable

__all__ = ["ClassScore", "Evaluation", "evaluate", "score"]

#: Pictures in one pass of the network.
_BATCH = 32
#: Bins of the calibration error.
_BINS = 10


@dataclass(frozen=True)
class ClassScore:
    """One class. A rate is None where there is nothing to divide by."""

    label: str
    count: int
    recall: float | None
    precision: float | None
    #: Share of this class's pictures that the model abstained on.
    abstained: float | None
    #: What its pictures were taken for, and how often.
    taken_for: dict[str, int]


@dataclass(frozen=True)
class Evaluation:
    """Figures over ``count`` pictures of the classes and ``none_count`` of none of them; rates are 0..1.

    Accuracy, recall and top-5 error are of the likeliest class, whether or not the model would have abstained.
    """

    count: int
    none_count: int
    top1: float | None
    mean_recall: float | None
    top5_error: float | None
    abstained: float | None
    #: Of the pictures of the classes that were answered.
    accuracy_when_answered: float | None
    #: Share of none-of-the-classes pictures that got a label all the same.
    none_labelled: float | None
    #: Chance that a picture of a class looks more like one than a picture of none (area under the ROC curve).
    none_auroc: float | None
    #: Expected calibration error of the confidence, over all pictures, ten bins.
    calibration_error: float | None
    classes: tuple[ClassScore, ...]
    unreadable: tuple[Unreadable, ...] = ()


def evaluate(
    classifier: Classifier,
    rows: Sequence[Labelled],
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
) -> Evaluation:
    """Classify every file; those that cannot be read are in the result, not fatal."""
    images, labels, unreadable, logits = [], [], [], []
    index = {key: number for number, key in enumerate(classifier.classes)}
    for row in progress(rows):
        try:
            images.append(classifier.prepare(read_image(row.file)))
        except (NotClassifiable, OSError) as error:
            unreadable.append(Unreadable.because(row.file, error))
            continue
        labels.append(len(index) if row.label is None else index[row.label])
        if len(images) == _BATCH:
            logits.append(classifier.logits(np.stack(images)))
            images = []
    if images:
        logits.append(classifier.logits(np.stack(images)))
    found = np.concatenate(logits) if logits else np.zeros((0, len(index) + 1), np.float32)
    return score(found, np.asarray(labels, np.int64), classifier.classes, classifier.decision, unreadable)


def score(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    decision: Decision,
    unreadable: Sequence[Unreadable] = (),
) -> Evaluation:
    """Figures from (n, classes + 1) logits and (n,) true classes, ``len(classes)`` = none of them."""
    probabilities = decision.probabilities(logits)
    order = np.argsort(-probabilities[:, :-1], axis=1, kind="stable")
    best = order[:, 0]
    confidence = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    answered = (confidence >= decision.threshold) & (confidence > probabilities[:, -1])
    ours = labels < len(classes)
    right = best == labels
    in_five = (order[:, :5] == labels[:, None]).any(axis=1)
    scores = tuple(_class_score(number, classes, labels, best, answered) for number in range(len(classes)))
    recalls = [one.recall for one in scores if one.recall is not None]
    return Evaluation(
        count=int(ours.sum()),
        none_count=int((~ours).sum()),
        top1=_mean(right[ours]),
        mean_recall=float(np.mean(recalls)) if recalls else None,
        top5_error=_mean(~in_five[ours]),
        abstained=_mean(~answered[ours]),
        accuracy_when_answered=_mean(right[ours & answered]),
        none_labelled=_mean(answered[~ours]),
        none_auroc=_auroc(1 - probabilities[ours, -1], 1 - probabilities[~ours, -1]),
        calibration_error=_calibration_error(confidence, right),
        classes=scores,
        unreadable=tuple(unreadable),
    )


def _class_score(
    number: int,
    classes: Sequence[str],
    labels: NDArray[np.int64],
    best: NDArray[np.int64],
    answered: NDArray[np.bool_],
) -> ClassScore:
    true, said = labels == number, best == number
    wrong = best[true & ~said]
    return ClassScore(
        label=classes[number],
        count=int(true.sum()),
        recall=_mean(said[true]),
        # Of the labels given: a picture of none of the classes that got this one counts against it.
        precision=_mean(true[said & answered]),
        abstained=_mean(~answered[true]),
        taken_for={classes[other]: int((wrong == other).sum()) for other in np.unique(wrong)},
    )


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float | None:
    if not len(positive) or not len(negative):
        return None
    above = (positive[:, None] > negative[None]).mean() + (positive[:, None] == negative[None]).mean() / 2
    return float(above)


def _calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Mean over bins of |accuracy - confidence|, weighted by how many pictures fall into each."""
    if not len(confidence):
        return None
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)]
    return float(sum(gaps))
