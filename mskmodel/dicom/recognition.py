"""The transfer syntax that a file's pixels are really in, where the file announces none or another.

The announced one is kept wherever the pixel data can be in it.
"""

from __future__ import annotations

import struct
from typing import Final

from pydicom import config, uid

from mskmodel.dicom.codestream import BadCodestreamError, jpeg_start
from mskmodel.dicom.codestream_jpeg_2000 import JP2_FILE, jpeg_2000_codestream
from mskmodel.dicom.decoding import ENCAPSULATED, NATIVE, same_codec
from mskmodel.dicom.frames import first_fragment
from mskmodel.dicom.scan import Scan

__all__ = ["is_registered", "pixel_syntax"]

#: A private one that nothing in the data set tells: implicit VR little endian, but for the pixels.
_GE_BIG_ENDIAN: Final = "1.2.840.113619.5.2"
#: JPEG 2000: Start of Codestream, then the segment with the image size.
_JPEG_2000: Final = b"\xff\x4f\xff\x51"
#: The bit of its capabilities that says high throughput (ISO/IEC 15444-15).
_HIGH_THROUGHPUT: Final = 0x4000


def pixel_syntax(scan: Scan, announced: str) -> str:
    """Return the transfer syntax of the pixel data, ``""`` where it is none that can be read.

    ``announced`` is ``""`` where nothing is announced.
    """
    if announced == _GE_BIG_ENDIAN or (is_registered(announced) and announced not in NATIVE | ENCAPSULATED):
        return ""
    if not scan.has_pixel_data or scan.pixel_bytes is not None:
        return scan.transfer_syntax
    found = _frame_syntax(first_fragment(scan.pixel_data()))
    if announced in ENCAPSULATED and (not found or same_codec(announced, found)):
        return announced
    return found


def is_registered(identifier: str) -> bool:
    """Whether the standard has this UID."""
    return uid.UID(identifier, validation_mode=config.IGNORE).name != identifier


def _frame_syntax(frame: memoryview) -> str:
    """Return the most general transfer syntax of a frame that begins so, ``""`` where it is none that can be read."""
    beginning = bytes(frame[:8])
    if beginning.startswith(b"\xff\xd8"):
        return _jpeg_syntax(frame)
    if beginning == JP2_FILE[:8] or beginning.startswith(_JPEG_2000):
        return _jpeg_2000_syntax(frame)
    # The header of RLE: the number of segments, and the first one's offset, which is the header's length (PS3.5 G.5).
    segments, offset = struct.unpack("<II", beginning.ljust(8, b"\0"))
    return uid.RLELossless if 1 <= segments <= 15 and offset == 64 else ""


def _jpeg_2000_syntax(frame: memoryview) -> str:
    try:
        codestream = bytes(jpeg_2000_codestream(frame)[:8])
    except BadCodestreamError:
        return uid.JPEG2000
    (capabilities,) = struct.unpack_from(">H", codestream[6:8].ljust(2, b"\0"))
    return uid.HTJ2K if capabilities & _HIGH_THROUGHPUT else uid.JPEG2000


def _jpeg_syntax(frame: memoryview) -> str:
    try:
        header = jpeg_start(frame)
    except BadCodestreamError:
        return ""
    match header.process:
        case 0xC0 if header.precision == 8:
            return uid.JPEGBaseline8Bit
        case 0xC0 | 0xC1:
            return uid.JPEGExtended12Bit
        case 0xC3:
            return uid.JPEGLosslessSV1 if header.selection == 1 else uid.JPEGLossless
        case 0xF7:
            return uid.JPEGLSNearLossless if header.selection else uid.JPEGLSLossless
    return ""
