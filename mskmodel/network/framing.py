"""From a radiograph to the picture that is kept of it: cut to the exposed field, shrunk, windowed, made a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mskmodel.network.field import Polygon, box_of, exposed_field, filled
from mskmodel.network.grey_window import grey_window
from mskmodel.network.shrinking import halved, resampled
from mskmodel.radiograph import Radiograph

__all__ = ["STORED", "Picture", "framed"]

#: Side of the squares that pictures are kept as, pixels: more than the network sees, so that training can zoom in.
STORED: Final = 288
#: Pixels are halved as long as this multiple of the wanted size is left; a proper resampling does the rest.
_OVERSAMPLING: Final = 2
#: The field is looked for in a picture of at least this many pixels along the longest side, where there are as many.
_FIELD_SIZE: Final = 288
#: Percentiles of a whole picture are taken over about this many pixels.
_SAMPLES: Final = 65_536

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


def framed(radiograph: Radiograph, size: int = STORED, *, window: tuple[float, float] | None, field: bool) -> Picture:
    """Cut to the field, shrink to ``size`` along the longest side, window, pad to a square; the true aspect is kept.

    ``window``: percentiles of the pixel values that become black and white, None for the whole range of the bit depth.
    ``field``: whether the picture is cut to its exposed field, and the percentiles taken from inside.
    Grey values have a meaning only within one image: detectors and vendors have no scale in common.
    """
    pixels, bits = radiograph.pixels, radiograph.bits
    height, width = len(pixels) * radiograph.aspect, float(pixels.shape[1])
    shrunk = halved(pixels, bits, *_extent(height, width, size * _OVERSAMPLING))
    polygon, inside = _field(radiograph, shrunk) if field else (None, None)
    low, high = _window(radiograph, window, inside)
    if polygon is not None:
        pixels, shrunk = _cut(pixels, polygon), _cut(shrunk, polygon)
        across, down = np.ptp(polygon, axis=0).tolist()
        height, width = height * down, width * across
    rows, columns = _extent(height, width, size)
    if len(shrunk) < min(rows, len(pixels)) or shrunk.shape[1] < min(columns, pixels.shape[1]):
        shrunk = halved(pixels, bits, *_extent(height, width, size * _OVERSAMPLING))
    values = (resampled(shrunk, rows, columns) - low) * (255 / max(high - low, 1.0))
    values = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    if polygon is not None:
        values *= filled(_within_its_box(polygon), values.shape)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = values
    return Picture(square, rows, columns)


def _extent(height: float, width: float, longest: int) -> tuple[int, int]:
    """Rows and columns with ``longest`` along the longer side."""
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _field(radiograph: Radiograph, shrunk: NDArray[np.float32]) -> tuple[Polygon | None, NDArray[np.float32]]:
    """The field, and the grey values inside."""
    small = shrunk
    while max(small.shape) >= 2 * _FIELD_SIZE and min(small.shape) > 1:
        rows, columns = small.shape[0] // 2, small.shape[1] // 2
        halves = cv2.resize(small[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
        small = np.asarray(halves, np.float32)
    rows, columns = radiograph.pixels.shape
    aspect = radiograph.aspect * (rows / len(shrunk)) / (columns / shrunk.shape[1])
    return exposed_field(small, aspect, radiograph.outlines)


def _window(
    radiograph: Radiograph, window: tuple[float, float] | None, inside: NDArray[np.float32] | None
) -> tuple[float, float]:
    if window is None:
        return 0.0, 2.0**radiograph.bits - 1
    if inside is not None:
        return grey_window(inside, window)
    step = max(1, int((radiograph.pixels.size / _SAMPLES) ** 0.5))
    low, high = np.percentile(radiograph.pixels[::step, ::step], window)
    return float(low), float(high)


def _cut(pixels: NDArray[_Number], polygon: Polygon) -> NDArray[_Number]:
    top, bottom, left, right = box_of(polygon, *pixels.shape)
    return pixels[top:bottom, left:right]


def _within_its_box(polygon: Polygon) -> Polygon:
    """The polygon with shares of its own box instead of the picture's."""
    least, most = polygon.min(0), polygon.max(0)
    return np.asarray((polygon - least) / (most - least), np.float32)
