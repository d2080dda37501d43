"""Folds: no patient is on both sides, and every class is in each."""

import numpy as np

from mskmodel.data.folds import folds_of


def test_folds_keep_patients_together_and_spread_the_classes() -> None:
    random = np.random.default_rng(0)
    patients = random.permutation(np.arange(200) % 40)
    labels = patients % 4

    folds = folds_of(patients, labels, 5)

    for patient in range(40):
        assert len(set(folds[patients == patient])) == 1
    for label in range(4):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.min() > 0
    np.testing.assert_array_equal(folds, folds_of(patients, labels, 5))
