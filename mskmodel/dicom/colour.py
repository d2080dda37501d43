"""Grey pictures that are written as colour: film scanners and teleradiology systems do so."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.radiograph import Skipped

__all__ = ["COLOURED", "grey_component"]

#: The reason for a picture that is not grey.
COLOURED: Final = "a colour image, not a radiograph"
#: Components count as equal up to this fraction of the range, 8 of 255. Grey that went through near-lossless JPEG-LS
#: differs by up to 6, through transformations between RGB and YCbCr by 2, through JPEG and JPEG 2000 by less. What a
#: person sees as colour differs by far more.
_TOLERANCE: Final = 1 / 32
#: Rows that are compared at a time: most colour pictures show it in their first ones.
_ROWS: Final = 256


def grey_component(components: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return the grey picture that three components hold, (rows, columns) of their type.

    ``components``: (3, rows, columns), integers 0..2**bits-1. They are grey as RGB where all are equal, and as YCbCr
    where the second and third lie in the middle of the range; what the header says of them is often wrong, and is not
    needed. Raises ``Skipped`` for anything else.
    """
    first: NDArray[Any] = components[0]
    middle = 2 ** (bits - 1)
    tolerance = int((2**bits - 1) * _TOLERANCE)
    as_rgb = as_ycbcr = True
    for start in range(0, len(first), _ROWS):
        part = slice(start, start + _ROWS)
        chroma = [component[part].astype(np.int32) for component in components[1:]]
        as_rgb = as_rgb and all(_near(one, first[part], tolerance) for one in chroma)
        as_ycbcr = as_ycbcr and all(_near(one, middle, tolerance) for one in chroma)
        if not (as_rgb or as_ycbcr):
            raise Skipped(COLOURED)
    return first


def _near(values: NDArray[np.int32], others: NDArray[Any] | int, tolerance: int) -> bool:
    return int(np.abs(values - others).max()) <= tolerance
