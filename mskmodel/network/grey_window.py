"""The window of grey values that become black and white, in spite of what is no part of the picture."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["grey_window"]

#: An isolated population of grey values: at most this share of the pixels, beyond a gap of this share of the range,
#: where no bin of the histogram holds more than this share of the pixels.
_ISOLATED, _GAP, _EMPTY = 0.2, 0.15, 0.0004
_BINS: Final = 64
#: Ranges that are tried: one without an isolated population may have another.
_ROUNDS: Final = 3


def grey_window(values: NDArray[np.float32], percentiles: tuple[float, float]) -> tuple[float, float]:
    """The percentiles of grey values, (n,), without isolated populations: markers, aprons, metal, burnt-in frames."""
    for _ in range(_ROUNDS):
        low, high = _populated(values)
        kept = values[(values >= low) & (values <= high)]
        if len(kept) == len(values):
            break
        values = kept
    low, high = np.percentile(values, percentiles)
    return float(low), float(high)


def _populated(values: NDArray[np.float32]) -> tuple[float, float]:
    """The range of grey values without an isolated population at either end."""
    low, high = float(values.min()), float(values.max())
    width = (high - low) / _BINS
    if width <= 0:
        return low, high
    counts = cv2.calcHist([values], [0], None, [_BINS], [low, np.nextafter(np.float32(high), np.float32(np.inf))])
    shares = counts.ravel() / len(values)
    below = np.cumsum(shares)
    empty = 0
    for number, share in enumerate(shares):
        empty = empty + 1 if share < _EMPTY else 0
        if empty >= _GAP * _BINS:
            if 1 - below[number] <= _ISOLATED:
                return low, high - width * (_BINS - 1 - number + empty)
            if below[number] <= _ISOLATED:
                low = high - width * (_BINS - 1 - number)
    return low, high
