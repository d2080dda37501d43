"""Figures of a model on labelled radiographs, by the same path as in serving: file, preprocessing, decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Unreadable
from mskmodel.data.labels_file import Labelled
from mskmodel.data.same_picture import Once
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_image
from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import combined
from mskmodel.judging.intervals import Interval, auroc_interval, mean_of_rates, wilson
from mskmodel.judging.judgement import Judgement
from mskmodel.radiograph import HeaderTexts, NotClassifiable
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision

__all__ = ["Answers", "ClassScore", "Evaluation", "answers", "as_logits", "narrowed", "score", "with_headers"]

#: Pictures in one pass of the network.
_BATCH = 32
#: Bins of the calibration error.
_BINS = 10


@dataclass(frozen=True, eq=False)
class Answers:
    """Logits of a model for labelled files.

    ``rows``: those that could be read. ``labels``: (n,) int64, their true classes, the number of classes = none of
    them. ``logits``: (n, classes + 1) float32. ``claims``: of their headers, n of them where they were asked for.
    """

    rows: tuple[Labelled, ...]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    unreadable: tuple[Unreadable, ...] = ()
    claims: tuple[Claims, ...] = ()


@dataclass(frozen=True)
class ClassScore:
    """Figures of one class. A rate is None where there is nothing to divide by."""

    label: str
    count: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    #: Share of this class's pictures that the model abstained on.
    abstained: float | None
    #: Classes that its pictures were taken for, and how often.
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
    #: Accuracy over the pictures of the classes that got a label.
    accuracy_when_answered: float | None
    #: Share of the pictures of none of the classes that got a label.
    none_labelled: float | None
    #: Chance that the model is surer of a picture of a class than of one of none (area under the ROC curve).
    none_auroc: float | None
    #: Expected calibration error of the confidence, over all pictures, ten bins.
    calibration_error: float | None
    #: Mean of that error for perfectly calibrated confidences: with few pictures in a bin, chance alone makes one.
    calibration_error_by_chance: float | None
    classes: tuple[ClassScore, ...]
    #: 95 % intervals by the name of the figure, without figures that have nothing to divide by.
    intervals: dict[str, Interval]
    unreadable: tuple[Unreadable, ...] = ()


def answers(
    classifier: Classifier,
    rows: Sequence[Labelled],
    progress: Callable[[Sequence[Labelled]], Iterator[Labelled]] = iter,
    kinds: RadiographKinds = BY_DEFAULT,
    headers: Callable[[Labelled, HeaderTexts], Claims] | None = None,
) -> Answers:
    """Classify every picture once, whatever its files are called; the result lists the other rows.

    A label that is no class of the version counts as none of them. ``kinds``: what counts as a radiograph. ``headers``:
    what is claimed of a row, by itself or by its file's header.
    Raises TableError where the same picture has two labels.
    """
    once = Once()
    images, read, labels, unreadable, logits, claims = [], [], [], [], [], []
    index = {key: number for number, key in enumerate(classifier.classes)}
    for row in progress(rows):
        try:
            radiograph = read_image(row.file, kinds=kinds)
            image = classifier.prepare(radiograph)
        except (NotClassifiable, OSError) as error:
            unreadable.append(Unreadable.because(row.file, error, row.line))
            continue
        if reason := once.repeats(row, image):
            unreadable.append(Unreadable(row.file, reason, row.line))
            continue
        images.append(image)
        read.append(row)
        labels.append(len(index) if row.label is None else index.get(row.label, len(index)))
        if headers:
            claims.append(headers(row, radiograph.texts))
        if len(images) == _BATCH:
            logits.append(classifier.logits(np.stack(images)))
            images = []
    once.check()
    if images:
        logits.append(classifier.logits(np.stack(images)))
    found = np.concatenate(logits) if logits else np.zeros((0, len(index) + 1), np.float32)
    return Answers(tuple(read), np.asarray(labels, np.int64), found, tuple(unreadable), tuple(claims))


def narrowed(
    said: Answers, classes: Sequence[str], decision: Decision, judged: Sequence[str]
) -> tuple[Answers, Decision]:
    """The answers of a version with ``classes``, and its decision, for those who ask for some of them only.

    Its other classes count as none of those ``judged``, in truths and in answers. With all of them nothing changes.
    """
    if tuple(judged) == tuple(classes):
        return said, decision
    numbers = [list(classes).index(key) for key in judged]
    ours = decision.probabilities(said.logits)[:, numbers]
    none = np.clip(1.0 - ours.sum(axis=1), 0.0, 1.0)
    places = np.full(len(classes) + 1, len(numbers))
    places[numbers] = np.arange(len(numbers))
    logits = as_logits(np.column_stack([ours, none]))
    return replace(said, logits=logits, labels=places[said.labels]), Decision(threshold=decision.threshold)


def with_headers(said: Answers, classes: Sequence[str], decision: Decision) -> tuple[Answers, Decision]:
    """Answers of pixels and headers together, each header worth what is known of headers in general, and how to decide
    by them.
    """
    pixels = decision.probabilities(said.logits)
    pairs = zip(pixels, said.claims, strict=True)
    together = np.array([combined(row, classes, claims).probabilities for row, claims in pairs]).reshape(pixels.shape)
    return replace(said, logits=as_logits(together)), Decision(threshold=decision.threshold)


def as_logits(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Logits of which a plain decision makes these (n, classes + 1) probabilities."""
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float32)


def score(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    decision: Decision,
    unreadable: Sequence[Unreadable] = (),
) -> Evaluation:
    """Figures from (n, classes + 1) logits and (n,) true classes, ``len(classes)`` = none of them."""
    judged = Judgement.of(logits, labels, decision)
    ours, right, answered = judged.ours, judged.right, judged.answered
    scores = tuple(_class_score(number, key, judged, classes) for number, key in enumerate(classes))
    recalls = [one.recall for one in scores if one.recall is not None]
    none_auroc = _auroc(judged.confidence[ours], judged.confidence[~ours])
    shares = {
        "top1": right[ours],
        "top5_error": ~judged.in_five[ours],
        "abstained": ~answered[ours],
        "accuracy_when_answered": right[ours & answered],
        "none_labelled": answered[~ours],
    }
    intervals = {name: wilson(int(values.sum()), len(values)) for name, values in shares.items()}
    hits = np.bincount(labels[right], minlength=len(classes))
    intervals["mean_recall"] = mean_of_rates(hits, np.bincount(labels[ours], minlength=len(classes)))
    intervals["none_auroc"] = None
    if none_auroc is not None:
        intervals["none_auroc"] = auroc_interval(none_auroc, int(ours.sum()), int((~ours).sum()))
    return Evaluation(
        count=int(ours.sum()),
        none_count=int((~ours).sum()),
        mean_recall=float(np.mean(recalls)) if recalls else None,
        none_auroc=none_auroc,
        calibration_error=_calibration_error(judged.confidence, right),
        calibration_error_by_chance=_calibration_error_by_chance(judged.confidence),
        classes=scores,
        intervals={name: one for name, one in intervals.items() if one is not None},
        unreadable=tuple(unreadable),
        **{name: _mean(values) for name, values in shares.items()},
    )


def _class_score(number: int, key: str, judged: Judgement, classes: Sequence[str]) -> ClassScore:
    true, said = judged.labels == number, judged.best == number
    best, answered = judged.best, judged.answered
    wrong = best[true & ~said]
    return ClassScore(
        label=key,
        count=int(true.sum()),
        recall=_mean(said[true]),
        recall_interval=wilson(int(said[true].sum()), int(true.sum())),
        # Over the labels given: a picture of none of the classes that got this label counts against it.
        precision=_mean(true[said & answered]),
        abstained=_mean(~answered[true]),
        taken_for={classes[other]: int((wrong == other).sum()) for other in np.unique(wrong)},
    )


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float | None:
    if not len(positive) or not len(negative):
        return None
    order = np.sort(negative)
    # Share of pairs in which the positive one is higher; a tie counts half.
    below = [np.searchsorted(order, positive, side).mean() for side in ("left", "right")]
    return float(np.mean(below) / len(negative))


def _calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Mean over bins of |accuracy - confidence|, weighted by how many pictures fall into each."""
    if not len(confidence):
        return None
    return float(np.abs(_in_bins(confidence, right - confidence)).sum() / len(confidence))


def _calibration_error_by_chance(confidence: NDArray[np.float64]) -> float | None:
    """Calibration error that chance alone gives perfectly calibrated confidences; sums in a bin are taken as normal."""
    if not len(confidence):
        return None
    variances = _in_bins(confidence, confidence * (1 - confidence))
    return float(np.sqrt(2 / np.pi * variances).sum() / len(confidence))


def _in_bins(confidence: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the values in each bin of confidence, (bins,)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return np.bincount(bins, weights=values, minlength=_BINS).astype(np.float64)
