"""From stored values to grey values as a viewer shows them, but for the window (PS3.3 C.11, PS3.4 N.2).

A picture means the same in any linear scale, so slope and intercept of the Modality LUT, and windows, which are linear
or rise as well, change nothing: but a negative slope shows the picture inverted. Tables are applied.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.dicom.lookup_table import read_table
from mskmodel.dicom.padding import padding_around, padding_values
from mskmodel.dicom.scan import Scan
from mskmodel.radiograph import Undecodable

__all__ = ["as_shown"]

#: The tables of a data set, and how a note names them.
_MODALITY, _VOI = "ModalityLUTSequence", "VOILUTSequence"
_NAMES: Final = {_MODALITY: "modality", _VOI: "VOI"}
#: A table is tried on every 16th row and column.
_STEP: Final = 16
#: Pixels that go through a table at once: what looks them up needs eight bytes for each.
_AT_ONCE: Final = 2**18


def as_shown(
    stored: NDArray[np.uint16], scan: Scan, *, bits: int, signed: bool
) -> tuple[NDArray[np.uint16], int, list[str]]:
    """Grey values, how many bits they take, and what a person should know of them.

    ``stored``: (rows, columns) in offset binary, 0..2**bits-1; it is changed in place. Grey values are bright = dense,
    and 0 where there is padding around the picture.
    """
    # Of samples with more than 16 bits the lowest are lost, and no value in the header is about what is left.
    is_whole = (scan.number("BitsStored") or bits) <= 16
    curve, notes = _curve(stored, scan, bits, signed=signed) if is_whole else (None, [])
    shown_bits = bits if curve is None else int(curve.max()).bit_length()
    # Flipping every bit is 2**bits - 1 - value.
    flip = np.uint16(2**shown_bits - 1 if _is_inverted(scan) != (curve is None and _slope(scan) < 0) else 0)
    padding = None
    if is_whole and (ends := padding_values(scan, bits, signed=signed)) is not None:
        shown_end = ends[0] if curve is None else int(curve[ends[0]])
        is_black_already = ends[0] == ends[1] and shown_end == flip
        padding = None if is_black_already else padding_around(stored, *ends)
    if curve is not None:
        _look_up(curve, stored)
    if flip:
        stored ^= flip
    if padding is not None:
        stored[padding] = 0
    return stored, shown_bits, notes


def _is_inverted(scan: Scan) -> bool:
    """Whether low values are bright. Either attribute can say so: where a file is right, both do."""
    is_monochrome1 = scan.text("PhotometricInterpretation").upper() == "MONOCHROME1"
    return is_monochrome1 or scan.text("PresentationLUTShape").upper() == "INVERSE"


def _slope(scan: Scan) -> float:
    slope = scan.decimals("RescaleSlope")
    return slope[0] if slope and slope[0] else 1.0


def _curve(
    stored: NDArray[np.uint16], scan: Scan, bits: int, *, signed: bool
) -> tuple[NDArray[np.uint16] | None, list[str]]:
    """The tables of the header as one of 2**bits entries, None where there is none, and notes on those left out."""
    notes: list[str] = []
    if scan.sequence(_MODALITY) is None and scan.sequence(_VOI) is None:
        return None, notes
    values = np.arange(2**bits, dtype=np.int64) - (2 ** (bits - 1) if signed else 0)
    modality = _applied(_MODALITY, values, stored, scan, notes)
    voi = _applied(_VOI, _rescaled(values, scan) if modality is None else modality, stored, scan, notes)
    curve = modality if voi is None else voi
    return None if curve is None else curve.astype(np.uint16), notes


def _rescaled(values: NDArray[np.int64], scan: Scan) -> NDArray[np.int64]:
    """What the Modality LUT makes of values by slope and intercept."""
    intercept = scan.decimals("RescaleIntercept")
    with np.errstate(over="ignore"):
        rescaled = values * _slope(scan) + (intercept[0] if intercept else 0.0)
    return np.asarray(np.rint(rescaled.clip(-(2**31), 2**31)), np.int64)


def _applied(
    keyword: str, values: NDArray[np.int64], stored: NDArray[np.uint16], scan: Scan, notes: list[str]
) -> NDArray[np.int64] | None:
    """What a table of the header makes of values, None where there is none, or none that can be meant."""
    try:
        table = read_table(scan, keyword, int(values.min()), int(values.max()))
        if table is None:
            return None
        found = table(values)
        sample = np.ravel(stored[::_STEP, ::_STEP])
        if np.ptp(found.take(sample, mode="clip")) or not np.ptp(sample):
            return found
    except Undecodable:
        pass
    notes.append(f"the {_NAMES[keyword]} lookup table in the header makes no sense and was not applied")
    return None


def _look_up(curve: NDArray[np.uint16], pixels: NDArray[np.uint16]) -> None:
    """Replace each pixel by the entry of a table."""
    rows = max(1, _AT_ONCE // pixels.shape[1])
    for start in range(0, len(pixels), rows):
        block = pixels[start : start + rows]
        # Damaged lossless streams give values of more bits than they say.
        block[...] = curve.take(block, mode="clip")
