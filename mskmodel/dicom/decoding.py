"""Decode Pixel Data, by transfer syntax.

Decoders were chosen by fuzzing and by measurement: the ones in imagecodecs (libjpeg-turbo, CharLS, OpenJPEG) raise
instead of ending the process, are fast, and are free of copyleft.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from mskmodel.dicom.codestream import BadCodestreamError, FrameHeader, jpeg_header
from mskmodel.dicom.codestream_jpeg_2000 import jpeg_2000_header
from mskmodel.radiograph import Undecodable

__all__ = ["ENCAPSULATED", "NATIVE", "PixelLayout", "decode_encapsulated", "decode_native"]


@dataclass(frozen=True)
class PixelLayout:
    """The Image Pixel attributes (PS3.3 C.7.6.3) of a single-frame image with one sample per pixel."""

    rows: int
    columns: int
    #: 8 or 16.
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    big_endian: bool = False

    @property
    def native_bytes(self) -> int:
        return self.rows * self.columns * self.bits_allocated // 8


NATIVE: Final = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)


def decode_native(value: memoryview, layout: PixelLayout) -> NDArray[np.uint16]:
    """Return (rows, columns) uint16 in offset binary, 0..2**bits_stored-1. Raises ``Undecodable``."""
    if len(value) < layout.native_bytes:
        raise Undecodable(f"the pixel data are cut short: {len(value):,} of {layout.native_bytes:,} bytes")
    order = ">" if layout.big_endian else "<"
    words = np.frombuffer(value, f"{order}u{layout.bits_allocated // 8}", layout.rows * layout.columns)
    return _stored_bits(words.reshape(layout.rows, layout.columns), layout, layout.high_bit)


def _stored_bits(words: NDArray[Any], layout: PixelLayout, high_bit: int) -> NDArray[np.uint16]:
    """Cut the stored bits out of each word; above them other bits may lie (overlays, in old files)."""
    shift = high_bit + 1 - layout.bits_stored
    if shift:
        words = words >> shift
    stored = np.bitwise_and(words, words.dtype.type(2**layout.bits_stored - 1), dtype=words.dtype.newbyteorder("="))
    pixels = _as_uint16(stored)
    if layout.signed:
        # Two's complement becomes offset binary when the sign bit is flipped.
        pixels ^= np.uint16(1 << (layout.bits_stored - 1))
    return pixels


@dataclass(frozen=True)
class _Codec:
    #: Name in error messages.
    name: str
    header: Callable[[memoryview | bytes], FrameHeader]
    decode: Callable[[Any], NDArray[Any]]
    #: Legal start-of-frame markers of a JPEG.
    processes: frozenset[int] = frozenset({0})


_BASELINE: Final = _Codec("JPEG", jpeg_header, imagecodecs.jpeg8_decode, frozenset({0xC0, 0xC1}))
_LOSSLESS: Final = _Codec("lossless JPEG", jpeg_header, imagecodecs.jpeg8_decode, frozenset({0xC3}))
_JPEG_LS: Final = _Codec("JPEG-LS", jpeg_header, imagecodecs.jpegls_decode, frozenset({0xF7}))
_JPEG_2000: Final = _Codec("JPEG 2000", jpeg_2000_header, imagecodecs.jpeg2k_decode)
# OpenJPH is twice as fast, but ends the process on some damaged lossy streams.
_HTJ2K: Final = _Codec("HTJ2K", jpeg_2000_header, imagecodecs.jpeg2k_decode)

_CODECS: Final[dict[str, _Codec]] = {
    uid.JPEGBaseline8Bit: _BASELINE,
    uid.JPEGExtended12Bit: _BASELINE,
    uid.JPEGLossless: _LOSSLESS,
    uid.JPEGLosslessSV1: _LOSSLESS,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _HTJ2K,
    uid.HTJ2KLosslessRPCL: _HTJ2K,
    uid.HTJ2K: _HTJ2K,
}

ENCAPSULATED: Final = frozenset({*_CODECS, uid.RLELossless})


def decode_encapsulated(value: memoryview, layout: PixelLayout, transfer_syntax: str) -> NDArray[np.uint16]:
    """Return (rows, columns) uint16 in offset binary, 0..2**bits_stored-1.

    ``value`` begins with the basic offset table item. Raises ``Undecodable``.
    """
    frame = _single_frame(value)
    if transfer_syntax == uid.RLELossless:
        return _decode_rle(frame, layout)
    codec = _CODECS[transfer_syntax]
    try:
        header = codec.header(frame)
    except BadCodestreamError as error:
        raise Undecodable(f"the {codec.name} image {error}") from error
    _check_header(header, codec, layout)
    try:
        decoded = np.asarray(codec.decode(frame))
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Undecodable(f"the {codec.name} image is damaged") from error
    if decoded.shape != (layout.rows, layout.columns) or decoded.dtype.kind not in "iu" or decoded.itemsize > 2:
        raise Undecodable(f"the {codec.name} image does not hold what its header says")
    return _from_codec(decoded, header, layout)


def _check_header(header: FrameHeader, codec: _Codec, layout: PixelLayout) -> None:
    """Refuse a codestream that is not what the DICOM header announced, before a decoder allocates for it."""
    if (header.rows, header.columns) != (layout.rows, layout.columns):
        raise Undecodable(
            f"the {codec.name} image is {header.rows} x {header.columns} where the DICOM header says "
            f"{layout.rows} x {layout.columns}"
        )
    if header.components != 1:
        raise Undecodable(f"the {codec.name} image has {header.components} components where the header says 1")
    if header.process not in codec.processes or not 1 <= header.precision <= 16:
        raise Undecodable(f"the {codec.name} image is of a kind that its transfer syntax does not allow")


def _from_codec(decoded: NDArray[Any], header: FrameHeader, layout: PixelLayout) -> NDArray[np.uint16]:
    """Convert a decoder's samples to offset binary of Bits Stored.

    Where the codestream is wider than Bits Stored, lossy samples may overshoot. They are clipped: masking would
    turn white into black.
    """
    most = 2**layout.bits_stored - 1
    if layout.signed and header.signed:
        half = 1 << (layout.bits_stored - 1)
        return _as_uint16(np.clip(decoded.astype(np.int32), -half, half - 1) + half)
    if layout.signed:
        return _stored_bits(decoded.view(f"u{decoded.itemsize}"), layout, layout.bits_stored - 1)
    if decoded.dtype.kind == "i":
        return _as_uint16(np.clip(decoded, 0, most))
    if header.precision > layout.bits_stored:
        decoded = np.minimum(decoded, decoded.dtype.type(most))
    return _as_uint16(decoded)


def _as_uint16(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    return pixels.astype(np.uint16, copy=False)


def _decode_rle(frame: Any, layout: PixelLayout) -> NDArray[np.uint16]:
    output = bytearray(layout.native_bytes)
    try:
        length = len(imagecodecs.dicomrle_decode(frame, f"<u{layout.bits_allocated // 8}", out=output))
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Undecodable("the RLE image is damaged") from error
    if length != len(output):
        raise Undecodable(f"the RLE image is cut short: {length:,} of {len(output):,} bytes")
    words = np.frombuffer(output, f"<u{layout.bits_allocated // 8}").reshape(layout.rows, layout.columns)
    return _stored_bits(words, layout, layout.high_bit)


#: Fragments that are read at most; a single frame is one, seldom a few dozen.
_MAX_FRAGMENTS: Final = 100_000


def _single_frame(value: memoryview) -> memoryview | bytes:
    """Return the one frame's bytes from the items of encapsulated Pixel Data (PS3.5 A.4)."""
    fragments: list[memoryview] = []
    position = 0
    while position + 8 <= len(value) and len(fragments) <= _MAX_FRAGMENTS:
        group, element, length = struct.unpack_from("<HHI", value, position)
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000) or position + 8 + length > len(value):
            raise Undecodable("the compressed pixel data are cut short")
        fragments.append(value[position + 8 : position + 8 + length])
        position += 8 + length
    # The first item is the basic offset table.
    frame = fragments[1] if len(fragments) == 2 else b"".join(fragments[1:])
    if not len(frame):
        raise Undecodable("the pixel data hold no frame")
    return frame
