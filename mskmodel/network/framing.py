"""From a radiograph to the picture that is kept of it: cut to the exposed field, shrunk, windowed, padded to a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mskmodel.network.field import Polygon, box_of, exposed_field, filled, grey_window
from mskmodel.network.shrinking import halved, resampled
from mskmodel.radiograph import Radiograph

__all__ = ["STORED", "Picture", "framed"]

#: Side of the squares that pictures are kept as, pixels: more than the network sees, so that training can zoom in.
STORED: Final = 288
#: Pixels are halved as long as this multiple of the wanted size is left; a proper resampling does the rest.
_OVERSAMPLING: Final = 2
#: The field is looked for in a picture of at least this many pixels along the longest side.
_FIELD_SIZE: Final = 288
#: Percentiles of a whole picture are taken over about this many pixels.
_SAMPLES: Final = 65_536


@dataclass(frozen=True, eq=False)
class Picture:
    """A windowed radiograph in the middle of a black square.

    ``values``: (size, size) uint8, bright = dense. ``rows``, ``columns``: size of the radiograph in the middle;
    the rest is padding, 0.
    """

    values: NDArray[np.uint8]
    rows: int
    columns: int


def framed(
    radiograph: Radiograph, size: int = STORED, *, window: tuple[float, float] | None, field: bool
) -> Picture:
    """Cut to the field, shrink to ``size`` along the longest side, window, pad to a square; the true aspect is kept.

    ``window``: percentiles of the pixel values that become black and white, None for the whole range of the bit depth.
    ``field``: whether the picture is cut to its exposed field, and the percentiles taken from inside.
    Grey values have a meaning only within one image: detectors and vendors have no scale in common.
    """
    pixels = radiograph.pixels
    shrunk = _shrunk(radiograph, pixels, size)
    polygon, inside = None, None
    if field:
        aspect = radiograph.aspect * (len(pixels) / len(shrunk)) / (pixels.shape[1] / shrunk.shape[1])
        polygon, inside = exposed_field(_for_the_field(shrunk), aspect, radiograph.outlines)
    low, high = _window(radiograph, window, inside)
    if polygon is not None:
        top, bottom, left, right = box_of(polygon, *pixels.shape)
        pixels = pixels[top:bottom, left:right]
        a, b, c, d = box_of(polygon, *shrunk.shape)
        shrunk = shrunk[a:b, c:d]
    rows, columns = _extent(radiograph, pixels, size)
    if (shrunk.shape[0] < rows and shrunk.shape[0] < len(pixels)) or (
        shrunk.shape[1] < columns and shrunk.shape[1] < pixels.shape[1]
    ):
        shrunk = _shrunk(radiograph, pixels, size)
    values = resampled(shrunk, rows, columns)
    values = np.clip((values - low) * (255 / max(high - low, 1.0)) + 0.5, 0, 255).astype(np.uint8)
    if polygon is not None:
        values *= filled(_within(polygon), values.shape)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = values
    return Picture(square, rows, columns)


def _extent(radiograph: Radiograph, pixels: NDArray[np.uint16], longest: int) -> tuple[int, int]:
    """Rows and columns of square pixels, with ``longest`` along the longer side."""
    height, width = len(pixels) * radiograph.aspect, float(pixels.shape[1])
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _shrunk(radiograph: Radiograph, pixels: NDArray[np.uint16], size: int) -> NDArray[np.float32]:
    return halved(pixels, radiograph.bits, *_extent(radiograph, pixels, size * _OVERSAMPLING))


def _for_the_field(shrunk: NDArray[np.float32]) -> NDArray[np.float32]:
    while max(shrunk.shape) >= 2 * _FIELD_SIZE and min(shrunk.shape) > 1:
        rows, columns = shrunk.shape[0] // 2, shrunk.shape[1] // 2
        shrunk = np.asarray(
            cv2.resize(shrunk[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
        )
    return shrunk


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


def _within(polygon: Polygon) -> Polygon:
    """The polygon as shares of its own box."""
    least, most = polygon.min(0), polygon.max(0)
    return np.asarray((polygon - least) / np.maximum(most - least, 1e-9), np.float32)
