"""How a version learns from the corrections of a site, and answers to each of them as if it had not seen it.

Corrections are few, so none is held out for good. They are split into folds by patient. A run for each fold starts from
the same weights and learns from the other folds (cross-fitting): its answers to its own fold are honest, and they
calibrate the new version and judge it. The new version is the mean of the weights of all runs and of those they started
from. Phantoms are split in the same way. Real exemplars are rehearsed by every run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mskmodel.data.dataset import Pictures
from mskmodel.data.folds import folds_of
from mskmodel.network.alexnet import AlexNet
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.averaging import averaged
from mskmodel.training.loop import Source, TrainingSettings
from mskmodel.versions.conversion import finished, logits_of
from mskmodel.versions.operating_point import Answered, OperatingPoint, brought_to, calibrated_for

__all__ = ["FOLDS", "SETTINGS", "Learned", "Lessons", "decided", "learned", "settings_of_run"]

FOLDS = 4
#: Of each run. As the shipped model is fine-tuned: real radiographs are seldom turned and inverted.
SETTINGS = TrainingSettings(
    epochs=2,
    views=600,
    rate=0.008,
    convolution_rate=1.0,
    label_smoothing=0.0,
    none_weight=4.0,
    augmentation=Augmentation(quarter_turn=0.05, invert=0.1),
)
#: Share of the weights that a run starts from in those of the new version, as in the shipped model.
_KEPT = 0.25
#: Smallest share of all draws that corrections get where there is a rehearsal, and the exemplars' share of the rest.
_CORRECTED, _REAL = 0.4, 1 / 3
#: With fewer images that nobody has looked at, the corrections stand for the archive too.
_ENOUGH = 50
#: Pictures copied at a time, as they may not all fit into memory.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a version learns from. ``folds``, ``phantom_folds``: (n,) int64, of each correction and phantom."""

    corrections: Pictures
    folds: NDArray[np.int64]
    phantoms: Pictures
    phantom_folds: NDArray[np.int64]
    exemplars: Pictures

    @classmethod
    def of(
        cls, corrections: Pictures, patients: Sequence[str], phantoms: Pictures, exemplars: Pictures, folds: int = FOLDS
    ) -> Lessons:
        """From corrections with the patient of each; a patient is in one fold. The same for the same in any process."""
        _, numbers = np.unique(np.asarray(patients, np.str_), return_inverse=True)
        views = folds_of(np.arange(len(phantoms)), phantoms.labels, folds)
        return cls(corrections, folds_of(numbers, corrections.labels, folds), phantoms, views, exemplars)

    def sources(self, fold: int | None = None) -> list[Source]:
        """What the run of a fold draws from; None for all of it.

        Classes that corrections do not show are missing by chance, as they are among exemplars.
        """
        rehearsed = len(self.phantoms) + len(self.exemplars)
        share = max(_CORRECTED, len(self.corrections) / (len(self.corrections) + rehearsed)) if rehearsed else 1.0
        real = (1 - share) * (_REAL if len(self.phantoms) else 1.0) if len(self.exemplars) else 0.0
        others, views = (None if fold is None else np.flatnonzero(f != fold) for f in (self.folds, self.phantom_folds))
        found = [
            Source("truths", self.corrections, share, partial=True, rows=others),
            Source("rehearsal", self.phantoms, 1 - share - real, rows=views),
            Source("exemplars", self.exemplars, real, partial=True),
        ]
        return [source for source in found if source.share > 0 and len(source.labels)]

    def unseen(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the corrections and of the phantoms that the run of a fold does not draw."""
        return np.flatnonzero(self.folds == fold), np.flatnonzero(self.phantom_folds == fold)


@dataclass(frozen=True, eq=False)
class Learned:
    """A new version's network, and its answers by runs that had not seen the picture, (n, classes + 1) each."""

    model: AlexNet
    corrections: NDArray[np.float32]
    phantoms: NDArray[np.float32]

    @property
    def logits(self) -> NDArray[np.float32]:
        """To the corrections, then to the phantoms."""
        return np.concatenate([self.corrections, self.phantoms])


def settings_of_run(settings: TrainingSettings, fold: int) -> TrainingSettings:
    """Those of the run of a fold: each draws anew."""
    return replace(settings, seed=settings.seed + fold)


def learned(
    base: AlexNet,
    runs: Sequence[Mapping[str, Tensor]],
    lessons: Lessons,
    settings: TrainingSettings,
    preprocessing: Preprocessing,
    *,
    keeps: bool = True,
    report: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Learned:
    """The new version from the weights of the run of each fold.

    ``keeps``: whether ``base`` is a version of these classes, so that its weights are worth keeping a share of.
    ``report``: called with the number of runs that have answered, and with all; may raise to stop.
    """
    kept = _KEPT if keeps else 0.0
    corrections, phantoms = (
        np.zeros((len(part), base.architecture.classes + 1), np.float32)
        for part in (lessons.corrections, lessons.phantoms)
    )
    for fold, run in enumerate(runs):
        model = finished(averaged(base, [run], kept), settings)
        both = zip(lessons.unseen(fold), (corrections, phantoms), (lessons.corrections, lessons.phantoms), strict=True)
        for rows, found, pictures in both:
            found[rows] = _logits(model, pictures, preprocessing, rows)
        report(fold + 1, len(runs))
    return Learned(finished(averaged(copy.deepcopy(base), runs, kept), settings), corrections, phantoms)


def decided(
    answers: Learned,
    lessons: Lessons,
    archive: Pictures,
    before: Classifier,
    start: Decision,
    preprocessing: Preprocessing,
    classes: Sequence[str],
    none_labelled: float | None = None,
    labels_right: float | None = None,
) -> OperatingPoint:
    """The operating point of a new version.

    Args:
        archive: images that a site stores, drawn at random from those that nobody has looked at; whatever their labels.
        before: a version that has learned from none of the corrections.
        start: the decision from which that of the new version departs.
        preprocessing, classes: of the new version.
        none_labelled, labels_right: what the site wants at most and at least; None for what the version before has.
    """
    corrections, none = lessons.corrections, len(classes)
    said = [_logits(before.model, each, before.preprocessing) for each in (corrections, archive)]
    answered = Answered(
        brought_to(classes, np.concatenate(said), before.classes, before.decision),
        before.decision.threshold,
        np.concatenate([answers.corrections, _logits(answers.model, archive, preprocessing)]),
        np.concatenate([np.minimum(corrections.labels, none), np.full(len(archive), -1)]),
        np.concatenate([np.full(len(corrections), float(len(archive) < _ENOUGH)), np.ones(len(archive))]),
    )
    return calibrated_for(answered, start, none_labelled, labels_right)


def _logits(
    model: AlexNet, pictures: Pictures, preprocessing: Preprocessing, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """As `logits_of`, of these rows; they may be none, or more than memory holds."""
    rows = np.arange(len(pictures)) if rows is None else rows
    parts = [
        logits_of(model, pictures.part(rows[first : first + _CHUNK]), preprocessing)
        for first in range(0, len(rows), _CHUNK)
    ]
    return np.concatenate([np.zeros((0, model.architecture.classes + 1), np.float32), *parts])
