"""Lookup tables as modalities write them into their files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

__all__ = ["curve", "lookup_table"]


def lookup_table(
    entries: NDArray[np.integer], *, first: int = 0, bits: int = 16, vr: str = "US", big_endian: bool = False
) -> Dataset:
    """An item of a sequence; ``bits`` of 8 and ``vr`` OW: two entries in a word."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 2**16, first, bits])
    if vr == "US":
        item.add_new("LUTData", "US", entries.tolist())
        return item
    words = entries.astype("<u2")
    if bits == 8:
        packed = entries.astype(np.uint8).tobytes()
        words = np.frombuffer(packed + bytes(len(packed) % 2), "<u2")
    item.add_new("LUTData", "OW", words.astype(">u2" if big_endian else "<u2").tobytes())
    return item


def curve(count: int, bits: int) -> NDArray[np.uint16]:
    """A rising curve that is far from a line, of the full range."""
    return np.round(np.linspace(0, 1, count) ** 0.3 * (2**bits - 1)).astype(np.uint16)
