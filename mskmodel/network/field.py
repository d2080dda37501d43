"""The exposed field of a radiograph: what lies inside the borders that shutters, collimators and scanners leave.

Borders are constant or nearly so, black, white or grey, straight or askew, and reach a corner of the picture. The field
is convex, as a collimator's is, so that neither a marker on the border nor a dark hollow beside a bone shapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mskmodel.network.grey_window import grey_window

__all__ = ["Box", "ExposedField", "Polygon", "exposed_field", "filled", "pixels_of", "shown_area"]

#: (n, 2) float32: x and y of the corners as shares 0..1 of a picture's width and height.
Polygon = NDArray[np.float32]
#: (2, 2) float32: the same of a box's upper left and lower right corner.
Box = NDArray[np.float32]
_Mask = NDArray[np.uint8]

#: Pixels along the longest side of the field when it is looked at, and the fewest along a side.
_SIZE, _FEWEST = 160, 8
#: Percentiles of the field's grey values, and the share of their range by which values of a border may differ.
_RANGE, _TOLERANCE = (0.5, 99.5), 0.02
#: Values that are brighter than the range by more than this share of it are of markers and metal, unless most of what
#: the border leaves is as bright.
_TOO_BRIGHT, _MOSTLY = 0.075, 0.5
#: A bright border goes along a side for at least this share of it: thick parts of a body are bright in a corner, too.
_ALONG: Final = 0.6
#: What is left of the picture and smaller than this share of the largest part is a marker on the border.
_PART: Final = 0.2
#: A field is not smaller than this share of the picture, nor than this share of a side.
_LEAST_AREA, _LEAST_SIDE = 0.04, 0.15
#: What is left shows something: its grey values range over this share of those before.
_LEAST_RANGE: Final = 0.005
#: Borders inside borders that are looked for.
_ROUNDS: Final = 6
#: A field is small in a look where a side is below this share of the look's, and is then looked at grown so much.
_SMALL, _GROWTH = 0.75, 1.1
#: By how much of its circumference a field with four corners may differ from four straight sides.
_ROUNDED: Final = 0.01

_WHOLE: Final = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
_SQUARE: Final = np.ones((3, 3), np.uint8)
_FLOODED: Final = 2
_FLOOD: Final = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | _FLOODED << 8


@dataclass(frozen=True, eq=False)
class ExposedField:
    """A field: convex, and free of pixels that are mixed with a border."""

    polygon: Polygon
    box: Box
    """The box around it, where the border is most likely to end."""
    values: NDArray[np.float32]
    """Grey values inside, (n,)."""

    @property
    def within_its_box(self) -> Polygon:
        """The polygon with shares of its box instead of the picture's."""
        return np.asarray((self.polygon - self.box[0]) / (self.box[1] - self.box[0]), np.float32)


def exposed_field(picture: NDArray[np.float32], aspect: float = 1.0, outlines: Sequence[Polygon] = ()) -> ExposedField:
    """Find the field in a small picture, (rows, columns) of some 300 pixels or more along the longest side.

    ``aspect``: height of a pixel divided by its width. ``outlines``: polygons outside of which nothing is shown.
    """
    field, mixed = shown_area(outlines), np.zeros(2, np.float32)
    look = _Look.at(picture, aspect, field)
    for _ in range(_ROUNDS):
        smaller = look.without_border()
        if smaller is None or not _is_plausible(smaller):
            break
        within = _Look.at(picture, aspect, smaller)
        if within.contrast < _LEAST_RANGE * look.contrast:
            break
        mixed = look.pixel
        if (within.extent < _SMALL * look.extent).any():
            # The next look shows more exactly where a small field ends.
            smaller = _intersection([field, _grown(smaller)])
            within = _Look.at(picture, aspect, smaller)
        field, look = smaller, within
    box = np.stack([field.min(0) - mixed, field.max(0) + mixed]).clip(0, 1)
    return ExposedField(field, np.asarray(box, np.float32), look.values())


def shown_area(outlines: Sequence[Polygon]) -> Polygon:
    """What lies inside all outlines, as a convex polygon; the whole picture where that cannot be meant."""
    shown = _intersection([_WHOLE, *outlines]) if outlines else _WHOLE
    return shown if _is_plausible(shown) else _WHOLE


def pixels_of(shape: Polygon | Box, rows: int, columns: int) -> tuple[int, int, int, int]:
    """First and last row, first and last column (the last excluded) of a picture of that size; at least one pixel."""
    (left, top), (right, bottom) = shape.min(0).tolist(), shape.max(0).tolist()
    first, start = min(round(top * rows), rows - 1), min(round(left * columns), columns - 1)
    return first, max(round(bottom * rows), first + 1), start, max(round(right * columns), start + 1)


def filled(polygon: Polygon, shape: tuple[int, ...]) -> _Mask:
    """1 inside the convex polygon, else 0, in a picture of that shape."""
    corners = np.rint(polygon * np.array(shape[::-1], np.float32) - 0.5).astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros(shape, np.uint8), corners.reshape(-1, 1, 2), 1), np.uint8)


@dataclass(frozen=True, eq=False)
class _Look:
    """The box around a field, always of the same size, so that what is found does not depend on the border around."""

    field: Polygon
    grey: NDArray[np.float32]
    inside: _Mask
    """1 in the field."""
    corner: NDArray[np.float32]
    extent: NDArray[np.float32]
    """Upper left corner and size of the box, x and y as shares of the picture."""

    @classmethod
    def at(cls, picture: NDArray[np.float32], aspect: float, field: Polygon) -> _Look:
        top, bottom, left, right = pixels_of(field, *picture.shape)
        height, width = (bottom - top) * aspect, float(right - left)
        scale = _SIZE / max(height, width)
        shape = max(_FEWEST, round(height * scale)), max(_FEWEST, round(width * scale))
        grey = cv2.resize(picture[top:bottom, left:right], shape[::-1], interpolation=cv2.INTER_AREA)
        size = np.array(picture.shape[::-1], np.float32)
        corner = np.array([left, top], np.float32) / size
        extent = np.array([right - left, bottom - top], np.float32) / size
        return cls(field, np.asarray(grey, np.float32), filled((field - corner) / extent, shape), corner, extent)

    @property
    def pixel(self) -> NDArray[np.float32]:
        """Width and height of a pixel of the look, as shares of the picture."""
        return np.asarray(self.extent / np.array(self.inside.shape[::-1]), np.float32)

    def values(self) -> NDArray[np.float32]:
        """Grey values of the field, but along its edge, where they are mixed with others."""
        within = cv2.erode(self.inside, _SQUARE, iterations=2, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        for mask in (within, self.inside):
            if mask.any():
                return self.grey[mask > 0]
        return self.grey.ravel()

    @cached_property
    def window(self) -> tuple[float, float]:
        """The field's grey values that would become black and white."""
        return grey_window(self.values(), _RANGE)

    @property
    def contrast(self) -> float:
        low, high = self.window
        return high - low

    def without_border(self) -> Polygon | None:
        """The field without the border that reaches its corners; None where there is none."""
        low, high = self.window
        border = self._border(low, high)
        if border is None:
            return None
        too_bright = (self.grey > high + (high - low) * _TOO_BRIGHT) & (border == 0)
        if np.count_nonzero(too_bright) < _MOSTLY * np.count_nonzero(border == 0):
            border |= too_bright
        # One pixel more, in which border and field are mixed.
        kept = cv2.morphologyEx(np.asarray(cv2.dilate(border, _SQUARE) == 0, np.uint8), cv2.MORPH_OPEN, _SQUARE)
        parts, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        areas = [cv2.contourArea(part) for part in parts]
        large = [part for part, area in zip(parts, areas, strict=True) if area >= _PART * max(areas)]
        if not large:
            return None
        hull = cv2.convexHull(np.concatenate(large)).reshape(-1, 2).astype(np.float32)
        # Where there is no border, up to the edge.
        hull = np.where(hull == 0, -0.5, np.where(hull == np.array(kept.shape[::-1]) - 1, hull + 0.5, hull))
        shares = (hull + 0.5) * self.pixel + self.corner
        return _intersection([self.field, np.asarray(shares, np.float32)])

    def _border(self, low: float, high: float) -> _Mask | None:
        """1 outside of the field and in the border that reaches its corners; None where there is no such border."""
        grey = np.clip((self.grey - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
        height, width = grey.shape
        mask = np.ones((height + 2, width + 2), np.uint8)
        border = mask[1:-1, 1:-1]
        np.subtract(1, self.inside, out=border)
        step, found = round(_TOLERANCE * 255), False
        for column, row in self._corners():
            if border[row, column]:
                continue
            _, _, _, (_, _, across, down) = cv2.floodFill(grey, mask, (column, row), 0, step, step, _FLOOD)
            is_border = grey[row, column] < 128 or max(across / width, down / height) >= _ALONG
            border[border == _FLOODED] = is_border
            found |= is_border
        return border if found else None

    def _corners(self) -> list[tuple[int, int]]:
        """Column and row of the field's four corners; none where it has another shape: then a border has been cut."""
        height, width = self.inside.shape
        polygon = (self.field - self.corner) / self.extent * np.array([width, height], np.float32) - np.float32(0.5)
        four = cv2.approxPolyDP(polygon, _ROUNDED * cv2.arcLength(polygon, True), True).reshape(-1, 2)
        if len(four) != 4:
            return []
        inward = four + 1.5 * np.sign(four.mean(0) - four)
        return [(min(max(round(x), 0), width - 1), min(max(round(y), 0), height - 1)) for x, y in inward.tolist()]


def _intersection(polygons: Sequence[Polygon]) -> Polygon:
    """What lies in the convex hulls of all of them; without corners where nothing does."""
    common = cv2.convexHull(polygons[0])
    for polygon in polygons[1:]:
        area, shared = cv2.intersectConvexConvex(common, cv2.convexHull(polygon))
        if not area:
            return np.zeros((0, 2), np.float32)
        # OpenCV may name the corners twice.
        common = cv2.convexHull(np.asarray(shared, np.float32))
    return np.asarray(common, np.float32).reshape(-1, 2)


def _grown(field: Polygon) -> Polygon:
    middle = (field.min(0) + field.max(0)) / 2
    return np.asarray(middle + _GROWTH * (field - middle), np.float32)


def _is_plausible(field: Polygon) -> bool:
    if len(field) < 3:
        return False
    width, height = np.ptp(field, axis=0)
    return bool(cv2.contourArea(field) >= _LEAST_AREA and min(width, height) >= _LEAST_SIDE)
