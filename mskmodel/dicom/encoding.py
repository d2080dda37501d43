"""Encode pixels as the Pixel Data of a transfer syntax.

The phantoms, ``msk send`` and the tests write DICOM with it. :mod:`mskmodel.dicom.decoding` reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

__all__ = ["LOSSY", "WRITABLE", "encode_pixels"]

#: (rows, columns) of uint8 or uint16.
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def _precision(pixels: Pixels, bits: int) -> int:
    """Bits per sample in the codestream: more than 8 for 16-bit samples, so that they are decoded as such."""
    return bits if pixels.itemsize == 1 else max(bits, 9)


def _rle(pixels: Pixels, _bits: int) -> bytes:
    rows, columns = pixels.shape
    return RLELosslessEncoder.encode(
        pixels,
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=8 * pixels.itemsize,
        bits_stored=8 * pixels.itemsize,  # fewer than 9 would be narrowed to bytes
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
    )


def _jpeg(pixels: Pixels, _bits: int) -> bytes:
    # Lossy JPEG has two precisions, 8 and 12.
    return bytes(imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=8 if pixels.itemsize == 1 else 12))


def _jpeg_lossless(pixels: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=_precision(pixels, bits)))


def _jpeg_ls(pixels: Pixels, _bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels))


def _jpeg_ls_near(pixels: Pixels, _bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels, level=2))


def _jpeg_2000(pixels: Pixels, bits: int) -> bytes:
    precision = _precision(pixels, bits)
    return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=precision))


def _jpeg_2000_lossy(pixels: Pixels, bits: int) -> bytes:
    precision = _precision(pixels, bits)
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=60, codecformat="j2k", bitspersample=precision))


def _htj2k(pixels: Pixels, _bits: int) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True))


def _htj2k_lossy(pixels: Pixels, bits: int) -> bytes:
    # The encoder's quantisation step is a fraction of the data type's range, of which ``bits`` use only a part.
    step = 0.001 * 2.0 ** (bits - 8 * pixels.itemsize)
    return bytes(imagecodecs.htj2k_encode(pixels, level=step, reversible=False))


_NATIVE: Final = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)

_ENCODERS: Final[dict[str, Callable[[Pixels, int], bytes]]] = {
    uid.RLELossless: _rle,
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg_lossless,
    uid.JPEGLosslessSV1: _jpeg_lossless,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls_near,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000_lossy,
    uid.HTJ2KLossless: _htj2k,
    uid.HTJ2K: _htj2k_lossy,
}

#: Most bits per sample that the lossy JPEG processes can hold.
_MOST_BITS: Final[dict[str, int]] = {uid.JPEGBaseline8Bit: 8, uid.JPEGExtended12Bit: 12}

#: Lossy Image Compression Method (0028,2114) of the lossy transfer syntaxes.
LOSSY: Final[dict[str, str]] = {
    uid.JPEGBaseline8Bit: "ISO_10918_1",
    uid.JPEGExtended12Bit: "ISO_10918_1",
    uid.JPEGLSNearLossless: "ISO_14495_1",
    uid.JPEG2000: "ISO_15444_1",
    uid.HTJ2K: "ISO_15444_15",
}

#: Every transfer syntax that :func:`encode_pixels` writes.
WRITABLE: Final[frozenset[str]] = frozenset(_NATIVE | set(_ENCODERS))


def encode_pixels(pixels: Pixels, *, bits: int, transfer_syntax: str) -> bytes:
    """Return the value of Pixel Data: ``pixels`` (rows, columns) in ``transfer_syntax``.

    Native syntaxes give rows x columns x itemsize bytes, padded to even length, in the byte order of the
    syntax; the others give one encapsulated frame with a basic offset table.

    Raises ``ValueError`` where the syntax is not one of :data:`WRITABLE` or cannot hold ``bits``.
    """
    if bits > _MOST_BITS.get(transfer_syntax, 16) or (transfer_syntax == uid.JPEGBaseline8Bit and pixels.itemsize > 1):
        raise ValueError(f"{uid.UID(transfer_syntax).name} cannot hold {bits} bits in {pixels.dtype}")
    if transfer_syntax in _NATIVE:
        order = ">" if transfer_syntax == uid.ExplicitVRBigEndian else "<"
        value = pixels.astype(f"{order}u{pixels.itemsize}", copy=False).tobytes()
        return value + b"\0" * (len(value) % 2)
    encoder = _ENCODERS.get(transfer_syntax)
    if encoder is None:
        raise ValueError(f"cannot write transfer syntax {uid.UID(transfer_syntax).name}")
    packed = pixels if pixels.flags.c_contiguous else pixels.copy()
    return encapsulate([encoder(packed, bits)])
