"""All outputs of a network, and the one output for all that is none of the classes."""

import numpy as np
from scipy.special import softmax

from mskmodel.network.outputs import collapsed


def test_the_last_of_the_collapsed_outputs_is_as_likely_as_all_kinds_of_none_together() -> None:
    outputs = np.random.default_rng(0).normal(0, 8, (50, 7)).astype(np.float32)

    logits = collapsed(outputs, 3)

    assert logits.shape == (50, 4)
    assert logits.dtype == np.float32
    every = softmax(outputs, axis=1)
    wanted = np.column_stack([every[:, :3], every[:, 3:].sum(axis=1)])
    np.testing.assert_allclose(softmax(logits, axis=1), wanted, atol=1e-6)


def test_without_other_kinds_the_logits_are_the_outputs() -> None:
    outputs = np.array([[1.5, np.nan, np.inf]], np.float32)

    np.testing.assert_array_equal(collapsed(outputs, 2), outputs)
