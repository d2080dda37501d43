"""Frames in the fragments of encapsulated Pixel Data (PS3.5 A.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from mskmodel.radiograph import Undecodable

__all__ = ["first_fragment", "first_frame"]

_ITEM: Final = (0xFFFE, 0xE000)
_SEQUENCE_END: Final = (0xFFFE, 0xE0DD)
#: Fragments that are read at most; a single frame is one, seldom a few dozen.
_MAX_FRAGMENTS: Final = 100_000
#: Bytes by which a fragment is known that begins a frame as the first one does: markers, and lengths behind them.
_BEGINNING: Final = 8


def first_frame(value: memoryview) -> tuple[memoryview | bytes, int]:
    """Return the first frame's bytes, and how many frames there are.

    ``value`` begins with the basic offset table, which is not believed: many are empty, and some are wrong. Raises
    ``Undecodable`` where the fragments are cut short, or hold nothing.
    """
    fragments = list(_fragments(value))
    if not fragments:
        raise Undecodable("the pixel data hold no frame")
    beginning = bytes(fragments[0][:_BEGINNING])
    starts = [at for at, fragment in enumerate(fragments) if fragment[:_BEGINNING] == beginning]
    own = fragments[: starts[1]] if len(starts) > 1 else fragments
    return own[0] if len(own) == 1 else b"".join(own), len(starts)


def first_fragment(value: memoryview) -> memoryview:
    """Return the first fragment that is not empty, an empty one where there is none or the items are damaged."""
    try:
        return next(_fragments(value), memoryview(b""))
    except Undecodable:
        return memoryview(b"")


def _fragments(value: memoryview) -> Iterator[memoryview]:
    """The fragments that are not empty, without the basic offset table."""
    position = 0
    for number in range(_MAX_FRAGMENTS):
        if position + 8 > len(value):
            return
        group, element, length = struct.unpack_from("<HHI", value, position)
        if (group, element) == _SEQUENCE_END:
            return
        if (group, element) != _ITEM or position + 8 + length > len(value):
            raise Undecodable("the compressed pixel data are cut short")
        if number and length:
            yield value[position + 8 : position + 8 + length]
        position += 8 + length
