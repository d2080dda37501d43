"""The exposed field of a radiograph: what lies inside the borders that shutters, collimators and scanners leave.

Borders are constant or nearly so, black, white or grey, straight or askew, and reach a corner of the picture. The field
is convex, as a collimator's is, so that neither a marker on the border nor a dark hollow beside a bone shapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygon", "box_of", "exposed_field", "filled", "grey_window"]

#: (n, 2) float32: x and y of the corners as shares 0..1 of a picture's width and height.
Polygon = NDArray[np.float32]
_Mask = NDArray[np.uint8]

#: Percentiles of the grey values between which a border is constant, and by which share of that range it may differ.
_RANGE: Final = (0.5, 99.5)
_TOLERANCE: Final = 0.02
#: A bright border goes along a side for at least this share of it: thick parts of a body are bright in a corner, too.
_BRIGHT: Final = 0.6
#: A field is not smaller than this share of the picture, nor than this share of a side.
_LEAST_AREA, _LEAST_SIDE = 0.04, 0.15
#: What is left of the picture and smaller than this share of the largest part is a marker on the border.
_PART: Final = 0.2
#: Borders inside borders that are looked for.
_ROUNDS: Final = 5
#: An isolated population of grey values has at most this share of the pixels, and lies beyond a gap of this share of the
#: range, where no bin of the histogram holds more than this share of the pixels.
_ISOLATED, _GAP, _EMPTY = 0.2, 0.15, 0.0004
_BINS: Final = 64

_FLOODED: Final = 2
_FLOOD: Final = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | _FLOODED << 8
_SQUARE: Final = np.ones((3, 3), np.uint8)
#: Pixels along the longest side of the field when it is looked at, and the fewest along a side.
_SIZE: Final = 160
_LEAST_ROWS: Final = 8
#: By how much of its circumference a field may deviate from four straight sides.
_ROUNDED: Final = 0.01
_WHOLE: Final = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def exposed_field(
    picture: NDArray[np.float32], aspect: float = 1.0, outlines: Sequence[Polygon] = ()
) -> tuple[Polygon | None, NDArray[np.float32]]:
    """Find the field in a small picture, (rows, columns) of at least some 300 pixels along the longest side.

    ``aspect``: height of a pixel divided by its width. ``outlines``: polygons outside of which nothing is shown.
    Returns the field, None for the whole picture, and the grey values inside, (n,).
    """
    field = _WHOLE
    if outlines:
        shown = _intersection([_WHOLE, *outlines])
        if _is_plausible(shown):
            field = shown
    for _ in range(_ROUNDS):
        look = _Look.at(picture, aspect, field)
        smaller = look.without_border()
        if smaller is None or not _is_plausible(smaller):
            break
        field = smaller
    else:
        look = _Look.at(picture, aspect, field)
    return None if field is _WHOLE else field, look.values()


def grey_window(values: NDArray[np.float32], percentiles: tuple[float, float]) -> tuple[float, float]:
    """The percentiles of grey values, (n,), without isolated populations: markers, aprons, metal, burnt-in frames."""
    for _ in range(3):
        low, high = _populated(values)
        kept = values[(values >= low) & (values <= high)]
        if len(kept) == len(values):
            break
        values = kept
    low, high = np.percentile(values, percentiles)
    return float(low), float(high)


def box_of(polygon: Polygon, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the polygon in a picture of that size; at least one pixel."""
    (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
    first, start = min(round(float(top) * rows), rows - 1), min(round(float(left) * columns), columns - 1)
    return first, max(round(float(bottom) * rows), first + 1), start, max(round(float(right) * columns), start + 1)


def filled(polygon: Polygon, shape: tuple[int, ...]) -> _Mask:
    """1 inside the polygon, else 0, in a picture of that shape."""
    corners = np.rint(polygon * np.array(shape[::-1], np.float32) - 0.5).astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros(shape, np.uint8), corners.reshape(-1, 1, 2), 1))


def _populated(values: NDArray[np.float32]) -> tuple[float, float]:
    """The range of grey values without an isolated population at either end."""
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return low, high
    counts, edges = np.histogram(values, _BINS, (low, high))
    shares = counts / len(values)
    below = np.cumsum(shares)
    empty = 0
    for number, share in enumerate(shares):
        empty = empty + 1 if share < _EMPTY else 0
        if empty >= _GAP * _BINS:
            if 1 - below[number] <= _ISOLATED:
                return low, float(edges[number + 1 - empty])
            if below[number] <= _ISOLATED:
                low = float(edges[number + 1])
    return low, high


@dataclass(frozen=True, eq=False)
class _Look:
    """A part of the picture, always of the same size, so that what is found does not depend on the border around."""

    field: Polygon
    grey: NDArray[np.float32]
    #: 1 in the field.
    inside: _Mask
    #: Corner of the box, and its extent, as shares of the picture.
    corner: NDArray[np.float32]
    extent: NDArray[np.float32]

    @classmethod
    def at(cls, picture: NDArray[np.float32], aspect: float, field: Polygon) -> _Look:
        top, bottom, left, right = box_of(field, *picture.shape)
        height, width = (bottom - top) * aspect, float(right - left)
        scale = _SIZE / max(height, width)
        shape = max(_LEAST_ROWS, round(height * scale)), max(_LEAST_ROWS, round(width * scale))
        grey = np.asarray(cv2.resize(picture[top:bottom, left:right], shape[::-1], interpolation=cv2.INTER_AREA))
        size = np.array(picture.shape[::-1], np.float32)
        corner, extent = np.array([left, top]) / size, np.array([right - left, bottom - top]) / size
        return cls(field, grey, filled((field - corner) / extent, shape), corner, extent)

    def values(self) -> NDArray[np.float32]:
        return self.grey[self.inside > 0]

    def without_border(self) -> Polygon | None:
        """The field without the border that reaches its corners; None where there is none."""
        corners = self._corners()
        if corners is None:
            return None
        low, high = grey_window(self.values(), _RANGE)
        height, width = self.inside.shape
        grey = np.clip((self.grey - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
        mask = np.ones((height + 2, width + 2), np.uint8)
        border = mask[1:-1, 1:-1]
        np.subtract(1, self.inside, out=border)
        step, found = round(_TOLERANCE * 255), False
        for column, row in corners:
            if border[row, column]:
                continue
            _, _, _, (_, _, across, down) = cv2.floodFill(grey, mask, (column, row), 0, step, step, _FLOOD)
            is_border = grey[row, column] < 128 or max(across / width, down / height) >= _BRIGHT
            border[border == _FLOODED] = is_border
            found |= is_border
        if not found:
            return None
        # Markers are no part of the field's shape; and one pixel more, in which border and field are mixed.
        border |= (self.grey > high + (high - low) * _GAP / 2).view(np.uint8)
        kept = np.asarray(cv2.dilate(border, _SQUARE) == 0, np.uint8)
        kept = _largest_parts(np.asarray(cv2.morphologyEx(kept, cv2.MORPH_OPEN, _SQUARE), np.uint8))
        if not kept.any():
            return None
        hull = _hull(kept)
        outward = 0.5 + 0.5 * np.sign(hull - (hull.min(0) + hull.max(0)) / 2)
        shares = (hull + outward) / np.array([width, height]) * self.extent + self.corner
        return _intersection([self.field, np.asarray(shares, np.float32)])

    def _corners(self) -> list[tuple[int, int]] | None:
        """Column and row of the field's four corners; None where it has another shape, and so has been cut before."""
        height, width = self.inside.shape
        polygon = (self.field - self.corner) / self.extent * np.array([width, height]) - 0.5
        around = cv2.arcLength(polygon.astype(np.float32), True)
        four = cv2.approxPolyDP(polygon.astype(np.float32), _ROUNDED * around, True).reshape(-1, 2)
        if len(four) != 4:
            return None
        inward = four + 1.5 * np.sign(four.mean(0) - four)
        return [(min(max(round(x), 0), width - 1), min(max(round(y), 0), height - 1)) for x, y in inward.tolist()]


def _largest_parts(mask: _Mask) -> _Mask:
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    areas = statistics[1:count, cv2.CC_STAT_AREA]
    if not len(areas):
        return mask
    large = np.concatenate([[False], areas >= _PART * areas.max()])
    return np.asarray(large[parts], np.uint8)


def _hull(mask: _Mask) -> NDArray[np.int32]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.convexHull(np.concatenate(contours)).reshape(-1, 2), np.int32)


def _intersection(polygons: Sequence[Polygon]) -> Polygon:
    """What lies in all of them; without corners where nothing does."""
    common = cv2.convexHull(np.asarray(polygons[0], np.float32))
    for polygon in polygons[1:]:
        area, shared = cv2.intersectConvexConvex(common, cv2.convexHull(np.asarray(polygon, np.float32)))
        if not area:
            return np.zeros((0, 2), np.float32)
        # OpenCV may name the corners twice.
        common = cv2.convexHull(np.asarray(shared, np.float32))
    return np.asarray(common, np.float32).reshape(-1, 2)


def _is_plausible(field: Polygon) -> bool:
    if len(field) < 3:
        return False
    width, height = np.ptp(field, axis=0)
    return bool(cv2.contourArea(field) >= _LEAST_AREA and min(width, height) >= _LEAST_SIDE)
