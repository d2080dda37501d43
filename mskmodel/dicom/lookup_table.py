"""Lookup tables in a data set: Modality LUT and VOI LUT (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword

from mskmodel.dicom.elements import first_item
from mskmodel.dicom.scan import Scan
from mskmodel.radiograph import Undecodable

__all__ = ["LookupTable", "read_table"]

_DESCRIPTOR, _DATA = tag_for_keyword("LUTDescriptor") or 0, tag_for_keyword("LUTData") or 0
#: 65,536 entries of 16 bits.
_MAX_BYTES: Final = 2 * 2**16
#: A curve goes up or down by its range in all. Twice that is still a curve; words in the wrong byte order are not.
_MAX_TURNS: Final = 2.0


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A table of at least two different entries."""

    #: (n,) uint16.
    entries: NDArray[np.uint16]
    #: The input that the first entry is for. Inputs outside the table have the entry at its end.
    first: int

    def __call__(self, inputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The entries for inputs of any shape."""
        return self.entries[np.clip(inputs - self.first, 0, len(self.entries) - 1)].astype(np.int64)


def read_table(scan: Scan, keyword: str, low: int, high: int) -> LookupTable | None:
    """The table in the first item of a sequence, None where the data set does not have that sequence.

    ``low``, ``high``: the inputs that it can have. Raises ``Undecodable`` where it is damaged, or no curve.
    """
    items = scan.sequence(keyword)
    if not items:
        return None
    item = first_item(items, {_DESCRIPTOR, _DATA}, big_endian=scan.encoding.big_endian, longest=_MAX_BYTES)
    order = ">" if item.encoding.big_endian else "<"
    descriptor, data = item.values.get(_DESCRIPTOR, b""), item.values.get(_DATA, b"")
    if len(descriptor) != 6:
        raise Undecodable("a lookup table is not described")
    count, first, _bits = (int(number) for number in np.frombuffer(descriptor, order + "u2"))
    entries = _entries(data, count or 2**16, order)
    # Whether the first input is signed is a matter of what comes in, not of the value representation.
    if first >= 2**15 and (low < 0 or first > high):
        first -= 2**16
    return LookupTable(entries, first)


def _entries(data: bytes, count: int, order: str) -> NDArray[np.uint16]:
    """Entries of 16 bits, or of 8 that lie two in a word, the first in its low byte."""
    if len(data) not in (2 * count, count + count % 2):
        raise Undecodable("a lookup table has another length than it says")
    entries = np.frombuffer(data, order + "u2").astype(np.uint16)
    if len(data) != 2 * count:
        entries = entries.astype("<u2").view(np.uint8)[:count].astype(np.uint16)
    span = int(entries.max()) - int(entries.min())
    if not span or np.abs(np.diff(entries.astype(np.int64))).sum() > _MAX_TURNS * span:
        raise Undecodable("a lookup table is no curve")
    return entries
