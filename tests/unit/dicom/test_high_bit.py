"""Samples that lie high in their cells are read alike, whether an encoder was given samples or cells."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import LOSSY, WRITABLE, encode_pixels
from mskmodel.dicom.reading import read_radiograph
from tests.dicom_files import edited, gradient


class Layout(NamedTuple):
    allocated: int
    stored: int
    high: int


LAYOUTS: Final = [
    Layout(*numbers)
    for numbers in ((8, 6, 7), (16, 8, 15), (16, 10, 15), (16, 12, 15), (16, 12, 13), (16, 14, 15), (16, 12, 11))
]
#: These hold cells of 8 and 12 bits only.
OF_FEW_BITS: Final = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit})
#: As `encode_pixels` writes these, samples have fewer bits than their cells.
WITH_PRECISION: Final = (uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.JPEG2000)
CASES: Final = [
    (syntax, layout, cells)
    for syntax in sorted(WRITABLE - OF_FEW_BITS)
    for layout in LAYOUTS
    for cells in (True, False)
    # What lossy compression loses is a share of the cell: there, only cells that are filled are compared.
    if (syntax not in LOSSY or layout.high == layout.allocated - 1)
    and (cells or (syntax in WITH_PRECISION and layout.stored > 8))
]


def name(value: object) -> str:
    return uid.UID(value).name if isinstance(value, str) else str(value)


@pytest.mark.parametrize(("syntax", "layout", "cells"), CASES, ids=name)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_what_lies_high_in_its_cell_is_read(signed: bool, syntax: str, layout: Layout, cells: bool) -> None:
    """``cells``: the encoder was given whole cells, and samples without what lies around them otherwise."""
    picture = gradient(layout.stored)
    # Two's complement is offset binary with the highest bit flipped.
    samples = picture ^ np.uint16(1 << (layout.stored - 1)) if signed else picture
    given = samples << (layout.high + 1 - layout.stored) if cells else samples
    kind = np.uint8 if layout.allocated == 8 else np.uint16

    def change(ds: Dataset) -> None:
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = layout
        ds.PixelRepresentation = int(signed)
        precision = layout.allocated if cells else layout.stored
        ds.PixelData = encode_pixels(given.astype(kind), bits=precision, transfer_syntax=syntax)

    radiograph = read_radiograph(
        edited(f"high bit {layout}", change, transfer_syntax=syntax, bits=min(12, layout.allocated))
    )

    difference = np.abs(radiograph.pixels.astype(int) - picture)
    assert radiograph.bits == layout.stored
    tolerance = 2**layout.stored // 64 if syntax in LOSSY else 0
    # A lossy encoder that does not know the sign blurs the jump from -1 to 0.
    assert (difference > tolerance).mean() <= (0.05 if syntax in LOSSY and signed else 0)
