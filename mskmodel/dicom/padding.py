"""Pixel padding (PS3.3 C.7.5.1.1.2): pixels around a picture that are no part of it."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.scan import Scan

__all__ = ["padding_around", "padding_values"]

#: The smallest share of a picture that padding may leave.
_LEAST_LEFT: Final = 0.05


def padding_values(scan: Scan, bits: int, *, signed: bool) -> tuple[int, int] | None:
    """The lowest and the highest value of padding in offset binary, 0..2**bits-1; None where there is none.

    The values in the header are cut to Bits Stored as the pixels are.
    """
    value, limit = scan.number("PixelPaddingValue"), scan.number("PixelPaddingRangeLimit")
    if value is None:
        return None
    mask, sign = 2**bits - 1, 1 << (bits - 1) if signed else 0
    ends = [(number & mask) ^ sign for number in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def padding_around(pixels: NDArray[np.uint16], low: int, high: int) -> NDArray[np.bool_] | None:
    """Mask of the pixels ``low``..``high`` that hang together with the edge of the picture, None where there are none.

    Inside of the picture the same values are its own: many files declare one that is in the middle of their range.
    Padding that leaves next to nothing is none either.
    """
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    if not any(np.logical_and(edge >= low, edge <= high).any() for edge in edges):
        return None
    # A frame of padding around the picture ties together all that touches its edge.
    candidates = np.ones((pixels.shape[0] + 2, pixels.shape[1] + 2), np.uint8)
    candidates[1:-1, 1:-1] = pixels == low if low == high else cv2.inRange(pixels, low, high) != 0
    cv2.floodFill(candidates, None, (0, 0), 2)
    around = candidates[1:-1, 1:-1] == 2
    return around if np.count_nonzero(around) <= (1 - _LEAST_LEFT) * around.size else None
