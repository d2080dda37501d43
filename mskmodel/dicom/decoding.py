"""Decode Pixel Data, by transfer syntax.

Decoders were chosen by fuzzing and by measurement: the ones in imagecodecs (libjpeg-turbo, CharLS, OpenJPEG) raise
instead of ending the process, are fast, and are free of copyleft.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from mskmodel.dicom.codestream import BadCodestreamError, FrameHeader, jpeg_header
from mskmodel.dicom.codestream_jpeg_2000 import jpeg_2000_codestream, jpeg_2000_header
from mskmodel.dicom.colour import grey_component
from mskmodel.radiograph import Undecodable

__all__ = ["ENCAPSULATED", "NATIVE", "PixelLayout", "decode_encapsulated", "decode_native", "same_codec"]


@dataclass(frozen=True)
class PixelLayout:
    """The Image Pixel attributes (PS3.3 C.7.6.3) of a single-frame image with one or three samples per pixel."""

    rows: int
    columns: int
    #: 8, 16 or 32.
    bits_allocated: int
    #: At most 16: of samples with more, the highest 16.
    bits_stored: int
    #: The highest bit of a sample in its cell.
    high_bit: int
    signed: bool
    #: Whether uncompressed pixel data are words of 16 bits in big endian.
    swapped: bool = False
    #: 1 or 3.
    samples: int = 1
    #: Whether uncompressed samples lie by component, not by pixel.
    planar: bool = False
    #: Whether two pixels share the second and third sample where they are uncompressed (YBR_FULL_422).
    halved: bool = False

    @property
    def cells(self) -> int:
        """Number of samples."""
        return self.rows * self.columns * self.samples

    @property
    def native_cells(self) -> int:
        """Number of samples where they are uncompressed."""
        return self.rows * self.columns * 2 if self.halved else self.cells

    @property
    def native_bytes(self) -> int:
        return self.native_cells * self.bits_allocated // 8

    @property
    def shift(self) -> int:
        """Bits below the lowest bit of a sample."""
        return self.high_bit + 1 - self.bits_stored


NATIVE: Final = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)


def decode_native(value: memoryview, layout: PixelLayout) -> NDArray[np.uint16]:
    """Return (rows, columns) uint16 in offset binary, 0..2**bits_stored-1.

    Raises ``Undecodable``, or ``Skipped`` for three samples that are not grey.
    """
    if layout.halved and len(value) >= layout.cells * layout.bits_allocated // 8:
        layout = replace(layout, halved=False)  # as after a decoder that did not change the header
    if len(value) < layout.native_bytes:
        raise Undecodable(f"the pixel data are cut short: {len(value):,} of {layout.native_bytes:,} bytes")
    if layout.swapped:
        value = np.frombuffer(value, ">u2", len(value) // 2).astype("<u2").data.cast("B")
    words = np.frombuffer(value, f"<u{layout.bits_allocated // 8}", layout.native_cells)
    return _grey(_stored_bits(_by_component(words, layout), layout, layout.shift), layout)


def _by_component(words: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Uncompressed samples as (samples, rows, columns)."""
    if layout.halved:
        if layout.columns % 2:
            raise Undecodable("the header contradicts itself: pixels in pairs, and an odd number of columns")
        pairs = words.reshape(layout.rows, layout.columns // 2, 4)
        luma = pairs[..., :2].reshape(layout.rows, layout.columns)
        return np.stack([luma, *(np.repeat(pairs[..., component], 2, axis=1) for component in (2, 3))])
    if layout.planar:
        return words.reshape(layout.samples, layout.rows, layout.columns)
    return np.moveaxis(words.reshape(layout.rows, layout.columns, layout.samples), -1, 0)


def _grey(pixels: NDArray[np.uint16], layout: PixelLayout) -> NDArray[np.uint16]:
    """Of (samples, rows, columns) the grey picture, (rows, columns). Raises ``Skipped`` where it is coloured."""
    grey = pixels[0] if layout.samples == 1 else grey_component(pixels, layout.bits_stored)
    return np.ascontiguousarray(grey)


def _stored_bits(words: NDArray[Any], layout: PixelLayout, shift: int) -> NDArray[np.uint16]:
    """Cut the stored bits out of each word; around them other bits may lie (overlays, in old files)."""
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
    #: The same of three components, as they are in the codestream but for the transformations of JPEG 2000.
    decode_colour: Callable[[Any], NDArray[Any]]
    #: Legal start-of-frame markers of a JPEG.
    processes: frozenset[int] = frozenset({0})


_jpeg_colour = partial(imagecodecs.jpeg8_decode, colorspace="YCBCR", outcolorspace="YCBCR")
_jpeg, _jpeg_ls, _jpeg_2000 = imagecodecs.jpeg8_decode, imagecodecs.jpegls_decode, imagecodecs.jpeg2k_decode

_BASELINE: Final = _Codec("JPEG", jpeg_header, _jpeg, _jpeg_colour, frozenset({0xC0, 0xC1}))
_LOSSLESS: Final = _Codec("lossless JPEG", jpeg_header, _jpeg, _jpeg_colour, frozenset({0xC3}))
_JPEG_LS: Final = _Codec("JPEG-LS", jpeg_header, _jpeg_ls, _jpeg_ls, frozenset({0xF7}))
_JPEG_2000: Final = _Codec("JPEG 2000", jpeg_2000_header, _jpeg_2000, _jpeg_2000)
# OpenJPH is twice as fast, but ends the process on some damaged lossy streams.
_HTJ2K: Final = _Codec("HTJ2K", jpeg_2000_header, _jpeg_2000, _jpeg_2000)

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

_LOSSLESS_SYNTAXES: Final = frozenset(
    {
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.HTJ2KLossless,
        uid.HTJ2KLosslessRPCL,
    }
)


def same_codec(one: str, other: str) -> bool:
    """Whether images in these two transfer syntaxes are decoded alike."""
    return one == other or (one in _CODECS and _CODECS[one] is _CODECS.get(other))


def decode_encapsulated(frame: memoryview | bytes, layout: PixelLayout, transfer_syntax: str) -> NDArray[np.uint16]:
    """Return (rows, columns) uint16 in offset binary, 0..2**bits_stored-1.

    ``frame`` is one frame's bytes. Raises ``Undecodable``, or ``Skipped`` for three samples that are not grey.
    """
    if transfer_syntax == uid.RLELossless:
        return _decode_rle(frame, layout)
    codec = _CODECS[transfer_syntax]
    try:
        if codec.header is jpeg_2000_header:
            frame = jpeg_2000_codestream(frame)
        header = codec.header(frame)
    except BadCodestreamError as error:
        raise Undecodable(f"the {codec.name} image {error}") from error
    _check_header(header, codec, layout)
    try:
        decoded = np.asarray((codec.decode if layout.samples == 1 else codec.decode_colour)(frame))
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Undecodable(f"the {codec.name} image is damaged") from error
    expected = (layout.rows, layout.columns) if layout.samples == 1 else (layout.rows, layout.columns, layout.samples)
    if decoded.shape != expected or decoded.dtype.kind not in "iu" or decoded.itemsize > 2:
        raise Undecodable(f"the {codec.name} image does not hold what its header says")
    convert = _exact if transfer_syntax in _LOSSLESS_SYNTAXES else _clipped
    pixels = convert(decoded, header, layout)
    return pixels if layout.samples == 1 else _grey(np.moveaxis(pixels, -1, 0), layout)


def _check_header(header: FrameHeader, codec: _Codec, layout: PixelLayout) -> None:
    """Refuse a codestream that is not what the DICOM header announced, before a decoder allocates for it."""
    if (header.rows, header.columns) != (layout.rows, layout.columns):
        raise Undecodable(
            f"the {codec.name} image is {header.rows} x {header.columns} where the DICOM header says "
            f"{layout.rows} x {layout.columns}"
        )
    if header.components != layout.samples:
        raise Undecodable(
            f"the {codec.name} image has {header.components} components where the header says {layout.samples}"
        )
    if header.process not in codec.processes or not 1 <= header.precision <= 16:
        raise Undecodable(f"the {codec.name} image is of a kind that its transfer syntax does not allow")


def _exact(decoded: NDArray[Any], header: FrameHeader, layout: PixelLayout) -> NDArray[np.uint16]:
    """Convert samples that are what was compressed, bit by bit, to offset binary of Bits Stored."""
    if header.precision <= layout.bits_stored and not (header.signed or layout.signed):
        return _as_uint16(decoded)
    # Encoders put in the samples, or the cells that they lie in: only cells reach up to High Bit.
    return _stored_bits(_bits(decoded), layout, layout.shift if header.precision > layout.high_bit else 0)


def _clipped(decoded: NDArray[Any], header: FrameHeader, layout: PixelLayout) -> NDArray[np.uint16]:
    """Convert samples that may overshoot, since compression was lossy, to offset binary of Bits Stored.

    They are clipped: masking would turn white into black.
    """
    shift = layout.shift if header.precision > layout.high_bit else 0
    if layout.signed:
        half = 1 << (layout.bits_stored - 1)
        return _as_uint16(np.clip(_with_sign(decoded, header, layout) >> shift, -half, half - 1) + half)
    most = 2**layout.bits_stored - 1
    if header.signed:
        decoded = _bits(decoded) & np.uint16(2**header.precision - 1)
    if shift:
        decoded = decoded >> shift
    if header.precision - shift > layout.bits_stored:
        decoded = np.minimum(decoded, decoded.dtype.type(most))
    return _as_uint16(decoded)


def _with_sign(decoded: NDArray[Any], header: FrameHeader, layout: PixelLayout) -> NDArray[np.int32]:
    """Signed samples as numbers, also from a codestream that holds them without a sign."""
    wide = decoded.astype(np.int32)
    if header.signed:
        return wide
    sign = 1 << (max(header.precision, layout.bits_stored) - 1)
    return ((wide & (2 * sign - 1)) ^ sign) - sign


def _bits(decoded: NDArray[Any]) -> NDArray[np.uint16]:
    """The samples' bits, of signed ones in two's complement."""
    return decoded.astype(np.int16 if decoded.dtype.kind == "i" else np.uint16, copy=False).view(np.uint16)


def _as_uint16(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    return pixels.astype(np.uint16, copy=False)


def _decode_rle(frame: Any, layout: PixelLayout) -> NDArray[np.uint16]:
    output = bytearray(layout.cells * layout.bits_allocated // 8)
    try:
        length = len(imagecodecs.dicomrle_decode(frame, f"<u{layout.bits_allocated // 8}", out=output))
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Undecodable("the RLE image is damaged") from error
    if length != len(output):
        raise Undecodable(f"the RLE image is cut short: {length:,} of {len(output):,} bytes")
    words = np.frombuffer(output, f"<u{layout.bits_allocated // 8}")
    by_component = words.reshape(layout.samples, layout.rows, layout.columns)
    return _grey(_stored_bits(by_component, layout, layout.shift), layout)
