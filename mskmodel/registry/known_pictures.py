"""Pictures that every version is asked about before it is used: they show whether it answers with numbers at all."""

from __future__ import annotations

import numpy as np

from mskmodel.radiograph import Radiograph

__all__ = ["known_pictures"]

#: Rows, columns and bits.
_ROWS, _COLUMNS, _BITS = 320, 256, 12


def known_pictures() -> list[Radiograph]:
    """A bright disc on a slope of grey, and noise: always the same pixels."""
    y, x = np.mgrid[0:_ROWS, 0:_COLUMNS]
    most = 2**_BITS - 1
    disc = np.where(np.hypot(y - _ROWS / 2, x - _COLUMNS / 2) < _COLUMNS / 4, most, y * (most / 2 / _ROWS))
    noise = np.random.default_rng(1).integers(0, most, (_ROWS, _COLUMNS), endpoint=True)
    return [Radiograph(picture.astype(np.uint16), _BITS) for picture in (disc, noise)]
