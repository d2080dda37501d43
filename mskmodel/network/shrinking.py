"""Shrinking a radiograph to the few hundred pixels that matter, in as few passes over memory as possible."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["half", "halved", "resampled"]


#: Bits of whose values the rounding of a mean loses nothing that matters.
_ENOUGH: Final = 12


def halved(pixels: NDArray[np.uint16], bits: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Halve each side as often as it keeps at least ``rows`` or ``columns``; every pixel is a mean of those it covers.

    ``bits``: bits of ``pixels``, (r, c), in whose units the means are returned. A remainder at the edge is dropped.
    Halving is many times faster than any other resampling: it is done by vector instructions.
    """
    down, across = (
        max(0, int(have // want).bit_length() - 1) for have, want in zip(pixels.shape, (rows, columns), strict=True)
    )
    # Means are rounded to integers: few bits would lose some of what noise makes visible.
    shift = 16 - bits if bits < _ENOUGH and (down or across) else 0
    means: NDArray[np.uint16] = pixels << np.uint16(shift) if shift else pixels
    while down or across:
        # First the side with more pixels to an inch, if there is one: its neighbours may be copies.
        r, c = 1 + (down >= across), 1 + (across >= down)
        down, across = down - (r - 1), across - (c - 1)
        height, width = len(means) // r, means.shape[1] // c
        halves = cv2.resize(means[: height * r, : width * c], (width, height), interpolation=cv2.INTER_AREA)
        means = np.asarray(halves, np.uint16)
    return np.asarray(means.astype(np.float32) * np.float32(2.0**-shift))


def half(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 values; a remainder at the edge is dropped."""
    rows, columns = values.shape[0] // 2, values.shape[1] // 2
    means = cv2.resize(values[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32)


def resampled(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Antialiased resampling to (rows, columns), up or down."""
    while len(values) >= 2 * rows and values.shape[1] >= 2 * columns:
        values = half(values)
    return np.asarray(Image.fromarray(values).resize((columns, rows), Image.Resampling.BILINEAR))
