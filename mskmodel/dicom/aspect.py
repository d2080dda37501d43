"""The shape of a pixel (PS3.3 10.7.1, C.7.6.3.1.7)."""

from __future__ import annotations

from typing import Final

from mskmodel.dicom.scan import Scan

__all__ = ["pixel_aspect"]

#: All of them say the vertical distance first, in the order in which they are asked.
_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
_WIDEST: Final = 8.0
#: Spacings are rounded when they are written.
_ROUNDING: Final = 0.01


def pixel_aspect(scan: Scan) -> float:
    """Height of a pixel divided by its width, 1/8..8; 1 where nothing plausible is said."""
    for keyword in _SPACINGS:
        spacing = scan.decimals(keyword)
        if len(spacing) == 2 and min(spacing) > 0:
            aspect = spacing[0] / spacing[1]
            if 1 / _WIDEST <= aspect <= _WIDEST:
                return 1.0 if abs(aspect - 1) < _ROUNDING else aspect
    return 1.0
