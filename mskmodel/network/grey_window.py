"""The window of grey values that become black and white, in spite of what is no part of the picture."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["grey_window"]

#: An isolated population of grey values: at most this share of the pixels, beyond a gap of this share of the range,
#: where no 64th of the range holds more than this share of the pixels.
_ISOLATED, _GAP, _EMPTY = 0.2, 0.15, 0.0004
_PARTS: Final = 64
#: Bins of the histogram in each part: of values in a bin, only the number is known.
_BINS: Final = 16
#: Ranges that are tried: one without an isolated population may have another.
_ROUNDS: Final = 3


def grey_window(values: NDArray[np.float32], percentiles: tuple[float, float]) -> tuple[float, float]:
    """The percentiles of grey values, (n,), without isolated populations: markers, aprons, metal, burnt-in frames.

    They are read off a histogram, and exact to a thousandth of the range.
    """
    low, high = float(values.min()), float(values.max())
    counts = _histogram(values, low, high)
    for _ in range(_ROUNDS):
        populated = _populated(low, high, counts.reshape(_PARTS, _BINS).sum(1))
        if populated == (low, high):
            break
        low, high = populated
        counts = _histogram(values, low, high)
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    found = np.interp(np.array(percentiles) / 100, below, np.linspace(low, high, len(below)))
    return float(found[0]), float(found[1])


def _histogram(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    # OpenCV leaves out the upper end.
    ends = [low, float(np.nextafter(np.float32(high), np.float32(np.inf)))]
    return np.asarray(cv2.calcHist([values], [0], None, [_PARTS * _BINS], ends).ravel(), np.float32)


def _populated(low: float, high: float, counts: NDArray[np.float32]) -> tuple[float, float]:
    """The range of grey values without an isolated population at either end."""
    shares = counts / counts.sum()
    below, width = np.cumsum(shares), (high - low) / _PARTS
    empty, first = 0, low
    for number, share in enumerate(shares):
        empty = empty + 1 if share < _EMPTY else 0
        if empty >= _GAP * _PARTS:
            if 1 - below[number] <= _ISOLATED:
                return first, low + width * (number + 1 - empty)
            if below[number] <= _ISOLATED:
                first = low + width * (number + 1)
    return first, high
