"""What is shown of a picture by its header: display shutter and collimator (PS3.3 C.7.6.11, C.8.7.3).

Coordinates are rows and columns of the pixel matrix, and begin at 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.scan import Scan

__all__ = ["shown_outlines"]

#: (n, 2) of x and y, shares 0..1 of width and height.
Outline = NDArray[np.float32]

#: The smallest share of the picture that may be left, and from which on all of it is shown.
_LEAST, _ALL = 0.1, 0.999
#: How far edges and vertices may lie outside of the picture, as a share of its side: they are rounded.
_OVERHANG: Final = 0.02
_CORNERS_OF_A_CIRCLE: Final = 64
#: Side of the raster on which areas are measured.
_RASTER: Final = 256


def shown_outlines(scan: Scan, rows: int, columns: int, aspect: float) -> tuple[Outline, ...]:
    """The shapes that the picture is shown within, all at once; none where all of it is shown.

    ``aspect``: height of a pixel divided by its width. Of the two modules the shutter comes first. A shape that does
    not fit the picture, and shapes that leave next to nothing of it, do not count.
    """
    for module in ("Shutter", "Collimator"):
        outlines = tuple(_shapes(scan, module, rows, columns, aspect))
        if outlines and _LEAST <= _share(outlines) < _ALL:
            return outlines
    return ()


def _shapes(scan: Scan, module: str, rows: int, columns: int, aspect: float) -> Iterable[Outline]:
    shapes = scan.words(f"{module}Shape")
    if "RECTANGULAR" in shapes and (found := _rectangle(scan, module, rows, columns)) is not None:
        yield found
    if "CIRCULAR" in shapes and (found := _circle(scan, module, rows, columns, aspect)) is not None:
        yield found
    if "POLYGONAL" in shapes and (found := _polygon(scan, module, rows, columns)) is not None:
        yield found


def _coordinates(scan: Scan, keyword: str) -> tuple[float, ...]:
    """The numbers of an Integer String, none where one is beyond what it can hold (PS3.5 6.2)."""
    numbers = scan.decimals(keyword)
    return numbers if all(abs(number) <= 2**31 for number in numbers) else ()


def _rectangle(scan: Scan, module: str, rows: int, columns: int) -> Outline | None:
    edges = [
        _coordinates(scan, f"{module}{edge}")
        for edge in ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
    ]
    if any(len(edge) != 1 for edge in edges):
        return None
    left, right, upper, lower = (edge[0] for edge in edges)
    if left >= right or upper >= lower:
        return None
    # The edges are the outermost pixels that are shown.
    x, y = ((left - 1) / columns, right / columns), ((upper - 1) / rows, lower / rows)
    return _inside([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])


def _circle(scan: Scan, module: str, rows: int, columns: int, aspect: float) -> Outline | None:
    centre, radius = _coordinates(scan, f"CenterOfCircular{module}"), _coordinates(scan, f"RadiusOfCircular{module}")
    if len(centre) != 2 or len(radius) != 1 or radius[0] <= 0:
        return None
    x, y = (centre[1] - 0.5) / columns, (centre[0] - 0.5) / rows
    if not (0 <= x <= 1 and 0 <= y <= 1):
        return None
    # The radius counts pixels along a row.
    across, down = radius[0] / columns, radius[0] / aspect / rows
    angles = np.linspace(0, 2 * math.pi, _CORNERS_OF_A_CIRCLE, endpoint=False)
    corners = np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)
    # A circle may be cut off by the edges of the picture.
    return corners.clip(0, 1).astype(np.float32)


def _polygon(scan: Scan, module: str, rows: int, columns: int) -> Outline | None:
    numbers = _coordinates(scan, f"VerticesOfThePolygonal{module}")
    if len(numbers) < 6 or len(numbers) % 2:
        return None
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return _inside([((column - 0.5) / columns, (row - 0.5) / rows) for row, column in pairs])


def _inside(corners: list[tuple[float, float]]) -> Outline | None:
    """The corners as an outline, None where they lie outside of the picture."""
    if not all(-_OVERHANG <= share <= 1 + _OVERHANG for corner in corners for share in corner):
        return None
    return np.asarray(corners, np.float32).clip(0, 1)


def _share(outlines: Iterable[Outline]) -> float:
    """The share of the picture inside all of them."""
    shown = np.ones((_RASTER, _RASTER), np.uint8)
    for outline in outlines:
        mask = np.zeros_like(shown)
        cv2.fillPoly(mask, [np.floor(outline * _RASTER).astype(np.int32)], 1)
        shown &= mask
    return float(shown.mean())
