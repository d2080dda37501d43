"""What the outputs of a network stand for: classes, kinds of none of the classes, none of known kind; in that order.

The kinds, a version's ``others``, are told apart but not named. Who asks for an answer sees one output for all that is
none of the classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["collapsed"]


def collapsed(outputs: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """From (n, outputs) logits of all outputs to (n, classes + 1): the last column is none of the classes, of any kind.

    Softmax gives the same probabilities before and after. Without other kinds these are the logits themselves.
    """
    if outputs.shape[1] == classes + 1:
        return outputs
    with np.errstate(over="ignore", invalid="ignore"):
        none = np.logaddexp.reduce(outputs[:, classes:], axis=1)
    return np.column_stack([outputs[:, :classes], none])
