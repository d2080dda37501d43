"""The frame header inside a compressed frame: the size that a decoder takes the image to have.

A decoder allocates by what the codestream says, not by what DICOM's Rows and Columns say, so the two are compared
before it runs. JPEG and JPEG-LS are here (ISO/IEC 10918-1 B.2, 14495-1 C.2), JPEG 2000 is in `codestream_jpeg_2000`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

__all__ = ["BadCodestreamError", "FrameHeader", "check_ends", "jpeg_header", "jpeg_start", "unpack"]

#: Bytes before the end in which the closing marker must lie: writers pad, and some add a few bytes more.
_END_WINDOW: Final = 4096


class BadCodestreamError(ValueError):
    """A compressed frame that no decoder should be given; the message says what is wrong with it."""


@dataclass(frozen=True)
class FrameHeader:
    """What a compressed frame says about itself."""

    rows: int
    columns: int
    components: int
    #: Bits per sample.
    precision: int
    signed: bool
    #: JPEG and JPEG-LS: the start-of-frame marker's second byte (0xC0 baseline, 0xC3 lossless, 0xF7 JPEG-LS).
    process: int = 0
    #: Lossless JPEG: the predictor; JPEG-LS: the largest error, 0 where there is none.
    selection: int = 0


def jpeg_header(frame: bytes | memoryview) -> FrameHeader:
    """Read the frame header of a whole JPEG or JPEG-LS image. Raises :class:`BadCodestreamError`."""
    view = memoryview(frame)
    check_ends(view, b"\xff\xd8")
    return jpeg_start(view)


def jpeg_start(view: memoryview) -> FrameHeader:
    """The same from the beginning of an image, as far as its first scan. Raises :class:`BadCodestreamError`."""
    position = 2
    header: FrameHeader | None = None
    while True:
        marker, segment = _segment(view, position)
        if marker == 0xDA:
            break
        if marker in _FRAMES:
            if header is not None:
                raise BadCodestreamError("has two frame headers")
            precision, rows, columns, components = unpack(">BHHB", segment, 0)
            header = FrameHeader(rows, columns, components, precision, signed=False, process=marker)
        position += 4 + len(segment)
        while bytes(view[position : position + 2]) == b"\xff\xff":
            position += 1
    if header is None:
        raise BadCodestreamError("has no frame header")
    (in_scan,) = unpack("B", segment, 0)
    return replace(header, selection=unpack("B", segment, 1 + 2 * in_scan)[0])


#: Start-of-frame markers of ISO/IEC 10918-1 table B.1 and of JPEG-LS; C4, C8 and CC are something else.
_FRAMES: Final = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}


def _segment(view: memoryview, position: int) -> tuple[int, memoryview]:
    """Return the marker at ``position`` and what its segment holds."""
    prefix, marker, length = unpack(">BBH", view, position)
    if prefix != 0xFF or not 0xC0 <= marker <= 0xFE or 0xD0 <= marker <= 0xD9 or length < 2:
        raise BadCodestreamError("has no legal marker where one must be")
    segment = view[position + 4 : position + 2 + length]
    if len(segment) != length - 2:
        raise BadCodestreamError("is cut short")
    return marker, segment


def check_ends(view: memoryview, start: bytes) -> None:
    """Check the first and the closing marker: of a stream cut short, some decoders return a grey lower half."""
    if bytes(view[: len(start)]) != start:
        raise BadCodestreamError("does not begin with its start marker")
    if b"\xff\xd9" not in bytes(view[-_END_WINDOW:]):
        raise BadCodestreamError("is cut short")


def unpack(layout: str, view: memoryview, position: int) -> tuple[int, ...]:
    """Return the numbers at ``position``. Raises :class:`BadCodestreamError` where the bytes end before them."""
    try:
        return struct.unpack_from(layout, view, position)
    except struct.error as error:
        raise BadCodestreamError("is cut short") from error
