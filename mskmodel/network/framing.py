"""From a radiograph to the picture that is kept of it: cut to the exposed field, shrunk, windowed, made a square.

And to the one that people look at, which is not cut. Neither needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mskmodel.network.field import Box, ExposedField, exposed_field, filled, pixels_of, shown_area
from mskmodel.network.grey_window import grey_window
from mskmodel.network.shrinking import half, halved, resampled
from mskmodel.radiograph import Radiograph

__all__ = ["STORED", "Picture", "framed", "whole"]

#: Side of the squares that pictures are kept as, pixels: more than the network sees, so that training can zoom in.
STORED: Final = 288
#: Pixels are halved as long as this multiple of the wanted size is left; a proper resampling does the rest.
_OVERSAMPLING: Final = 2
#: The field is looked for in a picture of at least this many pixels along the longest side, where there are as many.
_FIELD_SIZE: Final = 288
#: Percentiles of a whole picture are taken over about this many pixels.
_SAMPLES: Final = 65_536
#: Percentiles of the field's grey values that become black and white for people.
_FOR_PEOPLE: Final = (0.5, 99.5)

_Number = TypeVar("_Number", np.uint16, np.float32)


@dataclass(frozen=True, eq=False)
class Picture:
    """A windowed radiograph in the middle of a black square.

    ``values``: (size, size) uint8, bright = dense. ``rows``, ``columns``: size of the radiograph in the middle;
    the rest is padding, 0.
    """

    values: NDArray[np.uint8]
    rows: int
    columns: int

    @classmethod
    def padded(cls, values: NDArray[np.uint8], size: int) -> Picture:
        """A radiograph of at most (size, size), in the middle of its square."""
        rows, columns = values.shape
        square = np.zeros((size, size), np.uint8)
        top, left = (size - rows) // 2, (size - columns) // 2
        square[top : top + rows, left : left + columns] = values
        return cls(square, rows, columns)


def framed(radiograph: Radiograph, size: int = STORED, *, window: tuple[float, float] | None, field: bool) -> Picture:
    """Cut to the field, shrink to ``size`` along the longest side, window, pad to a square; the true aspect is kept.

    ``window``: percentiles of the pixel values that become black and white, None for the whole range of the bit depth.
    ``field``: whether the picture is cut to its exposed field, and the percentiles taken from inside.
    Grey values have a meaning only within one image: detectors and vendors have no scale in common.
    """
    pixels, bits = radiograph.pixels, radiograph.bits
    height, width = len(pixels) * radiograph.aspect, float(pixels.shape[1])
    shrunk = halved(pixels, bits, *_extent(height, width, size * _OVERSAMPLING))
    found = _field(radiograph, shrunk) if field else None
    low, high = _window(radiograph, window, found)
    if found:
        pixels, shrunk = _cut(pixels, found.box), _cut(shrunk, found.box)
        across, down = np.ptp(found.box, axis=0).tolist()
        height, width = height * down, width * across
    rows, columns = _extent(height, width, size)
    if len(shrunk) < min(rows, len(pixels)) or shrunk.shape[1] < min(columns, pixels.shape[1]):
        shrunk = halved(pixels, bits, *_extent(height, width, size * _OVERSAMPLING))
    values = _stretched(resampled(shrunk, rows, columns), low, high)
    if found:
        values *= filled(found.within_its_box, values.shape)
    return Picture.padded(values, size)


def whole(radiograph: Radiograph, longest: int) -> NDArray[np.uint8]:
    """The whole picture for people, (rows, columns), bright = dense; the true aspect is kept.

    It has ``longest`` pixels along the longest side, or fewer where the radiograph has fewer. The window is that of the
    exposed field; what a shutter hides is black.
    """
    height, width = len(radiograph.pixels) * radiograph.aspect, float(radiograph.pixels.shape[1])
    rows, columns = _extent(height, width, min(longest, max(1, round(max(height, width)))))
    most = max(_OVERSAMPLING * max(rows, columns), _FIELD_SIZE)
    shrunk = halved(radiograph.pixels, radiograph.bits, *_extent(height, width, most))
    low, high = grey_window(_field(radiograph, shrunk).values, _FOR_PEOPLE)
    values = _stretched(resampled(shrunk, rows, columns), low, high)
    return values * filled(shown_area(radiograph.outlines), values.shape)


def _stretched(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """0..255 between the two ends of a window."""
    stretched = (values - low) * (255 / max(high - low, 1.0))
    return np.asarray(np.clip(stretched + 0.5, 0, 255), np.uint8)


def _extent(height: float, width: float, longest: int) -> tuple[int, int]:
    """Rows and columns with ``longest`` along the longer side."""
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _field(radiograph: Radiograph, shrunk: NDArray[np.float32]) -> ExposedField:
    small = shrunk
    while max(small.shape) >= 2 * _FIELD_SIZE and min(small.shape) > 1:
        small = half(small)
    rows, columns = radiograph.pixels.shape
    aspect = radiograph.aspect * (rows / len(shrunk)) / (columns / shrunk.shape[1])
    return exposed_field(small, aspect, radiograph.outlines)


def _window(
    radiograph: Radiograph, window: tuple[float, float] | None, field: ExposedField | None
) -> tuple[float, float]:
    if window is None:
        return 0.0, 2.0**radiograph.bits - 1
    if field:
        return grey_window(field.values, window)
    step = max(1, int((radiograph.pixels.size / _SAMPLES) ** 0.5))
    low, high = np.percentile(radiograph.pixels[::step, ::step], window)
    return float(low), float(high)


def _cut(pixels: NDArray[_Number], box: Box) -> NDArray[_Number]:
    top, bottom, left, right = pixels_of(box, *pixels.shape)
    return pixels[top:bottom, left:right]
