"""Folds: each part of the data is judged by a model that has seen the others, and no patient is in two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["folds_of"]


def folds_of(patients: NDArray[np.int64], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Fold of each radiograph, (n,) int64: each patient is in one, each class spread as evenly as that allows."""
    names, sizes = np.unique(patients, return_counts=True)
    classes = int(labels.max(initial=0)) + 1
    held, folds = np.zeros((count, classes)), np.zeros(len(patients), np.int64)
    # Patients with many radiographs first; those with few even out the folds.
    for name in names[np.argsort(-sizes, kind="stable")]:
        own = patients == name
        shown = np.bincount(labels[own], minlength=classes)
        fold = int(np.argmin(held @ shown + 0.01 * held.sum(axis=1)))
        held[fold] += shown
        folds[own] = fold
    return folds
