"""The frame header inside a compressed frame: how large the decoder will think that the image is.

A decoder allocates by what the codestream says, not by what DICOM's Rows and Columns say, so the two are compared
before it runs. Sources: ISO/IEC 10918-1 B.2 (JPEG), 14495-1 C.2 (JPEG-LS), 15444-1 A.5 (JPEG 2000).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["BadCodestreamError", "FrameHeader", "jpeg_2000_header", "jpeg_header"]

#: How far from the end the closing marker may lie: writers pad, some add a few bytes more.
_END_WINDOW: Final = 4096


class BadCodestreamError(ValueError):
    """A compressed frame that no decoder should be given; the message says what is wrong with it."""


@dataclass(frozen=True)
class FrameHeader:
    """What a compressed frame says about itself."""

    rows: int
    columns: int
    components: int
    #: Bits a sample.
    precision: int
    signed: bool
    #: JPEG and JPEG-LS: the start-of-frame marker's second byte (0xC0 baseline, 0xC3 lossless, 0xF7 JPEG-LS).
    process: int = 0


def jpeg_header(frame: bytes | memoryview) -> FrameHeader:
    """Read the frame header of a JPEG or JPEG-LS image. Raises :class:`BadCodestreamError`."""
    view = memoryview(frame)
    _check_ends(view, b"\xff\xd8")
    position = 2
    header: FrameHeader | None = None
    while True:
        marker, segment = _segment(view, position)
        if marker == 0xDA:
            break
        if marker in _FRAMES:
            if header is not None:
                raise BadCodestreamError("has two frame headers")
            precision, rows, columns, components = _unpack(">BHHB", segment, 0)
            header = FrameHeader(rows, columns, components, precision, signed=False, process=marker)
        position += 4 + len(segment)
        while bytes(view[position : position + 2]) == b"\xff\xff":
            position += 1
    if header is None:
        raise BadCodestreamError("has no frame header")
    return header


#: Start-of-frame markers of ISO/IEC 10918-1 table B.1 and of JPEG-LS; C4, C8 and CC are something else.
_FRAMES: Final = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}


def _segment(view: memoryview, position: int) -> tuple[int, memoryview]:
    """Return the marker at ``position`` and what its segment holds."""
    prefix, marker, length = _unpack(">BBH", view, position)
    if prefix != 0xFF or not 0xC0 <= marker <= 0xFE or 0xD0 <= marker <= 0xD9 or length < 2:
        raise BadCodestreamError("has no legal marker where one must be")
    segment = view[position + 4 : position + 2 + length]
    if len(segment) != length - 2:
        raise BadCodestreamError("is cut short")
    return marker, segment


def jpeg_2000_header(frame: bytes | memoryview) -> FrameHeader:
    """Read the SIZ segment of a JPEG 2000 codestream. Raises :class:`BadCodestreamError`."""
    view = memoryview(frame)
    _check_ends(view, b"\xff\x4f\xff\x51")
    (x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components) = _unpack(">8IH", view, 8)
    depth, step_x, step_y = _unpack(">3B", view, 42)
    if x0 >= x1 or y0 >= y1 or not tile_x or not tile_y or (step_x, step_y) != (1, 1):
        raise BadCodestreamError("has a frame header that makes no sense")
    tiles = -(-(x1 - min(tile_x0, x1)) // tile_x) * -(-(y1 - min(tile_y0, y1)) // tile_y)
    if tiles > _MAX_TILES:
        raise BadCodestreamError("is cut into more tiles than any encoder makes")
    return FrameHeader(y1 - y0, x1 - x0, components, (depth & 0x7F) + 1, signed=bool(depth & 0x80))


#: 100 megapixels in tiles of 128 x 128 are 6,100.
_MAX_TILES: Final = 8192


def _check_ends(view: memoryview, start: bytes) -> None:
    """Decoders of truncated streams often succeed and return a grey lower half: look for the closing marker."""
    if bytes(view[: len(start)]) != start:
        raise BadCodestreamError("does not begin as one")
    if b"\xff\xd9" not in bytes(view[-_END_WINDOW:]):
        raise BadCodestreamError("is cut short")


def _unpack(layout: str, view: memoryview, position: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, view, position)
    except struct.error as error:
        raise BadCodestreamError("is cut short") from error
