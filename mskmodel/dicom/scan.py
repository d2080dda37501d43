"""Find the few attributes that matter in a DICOM file, without building a data set.

The bytes come from anywhere, and a general parser can be made to allocate gigabytes by nested or countless tiny
elements. This one walks the top level once, skips other elements without looking inside (sequences of undefined
length by counting), keeps only short values, and stops at Pixel Data (PS3.5 section 7).
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

from pydicom import uid
from pydicom.datadict import tag_for_keyword
from pydicom.valuerep import VR

from mskmodel.radiograph import Skipped, Undecodable

__all__ = ["FileMeta", "Scan", "is_dicom", "scan_data_set", "scan_meta"]

_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_PIXEL_DATA: Final = 0x7FE00010
#: Group FFFE in either byte order: items and delimiters have no value representation.
_ITEM_GROUPS: Final = (b"\xfe\xff", b"\xff\xfe")
#: A depth that is never reached.
_NEVER: Final = 2**62
#: Value representations with a 32-bit length after two reserved bytes.
_LONG: Final = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
#: A radiograph has a few hundred elements, with private ones a few thousand.
_MAX_ELEMENTS: Final = 200_000
#: The longest value that is kept, bytes.
_MAX_VALUE: Final = 256
#: A deflated header must end within this many inflated bytes.
_MAX_DEFLATED_HEADER: Final = 16 * 2**20

_KEPT: Final = frozenset(
    tag
    for keyword in (
        "SOPClassUID",
        "Modality",
        "BodyPartExamined",
        "ViewPosition",
        "Laterality",
        "ImageLaterality",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
    )
    if (tag := tag_for_keyword(keyword)) is not None
)

_VRS: Final = frozenset(vr.value.encode() for vr in VR if len(vr.value) == 2)


@dataclass(frozen=True)
class FileMeta:
    """File Meta Information (PS3.10 7.1). ``end`` is where the data set begins."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    end: int


@dataclass
class Scan:
    """Short values of a data set's top level, and its Pixel Data."""

    big_endian: bool
    values: dict[int, bytes] = field(default_factory=dict)
    #: False where the data set ends without Pixel Data.
    has_pixel_data: bool = False
    #: Length of Pixel Data; None where it is undefined, as of encapsulated frames.
    pixel_bytes: int | None = None
    #: Everything after the header of the Pixel Data element.
    _rest: memoryview = field(default_factory=lambda: memoryview(b""))
    _inflater: _Inflater | None = None

    def text(self, keyword: str) -> str:
        """Return a text value without padding, ``""`` where it is absent or not plain printable text."""
        text = self._value(keyword).decode("ascii", "replace").strip(" \0")
        return text if re.fullmatch(r"[\x20-\x7e]{0,64}", text) else ""

    def number(self, keyword: str) -> int | None:
        """Return the (first) 16-bit unsigned value, None where there is none."""
        value = self._value(keyword)
        if len(value) < 2:
            return None
        return int.from_bytes(value[:2], "big" if self.big_endian else "little")

    def _value(self, keyword: str) -> bytes:
        tag = tag_for_keyword(keyword)
        return b"" if tag is None else self.values.get(tag, b"")

    def pixel_data(self, at_most: int = 0) -> memoryview:
        """Return the value of Pixel Data; a deflated one is inflated up to ``at_most`` bytes."""
        if self._inflater is not None and len(self._rest) < at_most:
            more = self._inflater.inflate(at_most - len(self._rest))
            self._rest, self._inflater = memoryview(bytes(self._rest) + more), None
        return self._rest if self.pixel_bytes is None else self._rest[: self.pixel_bytes]


class _Inflater:
    """Inflates a deflated data set (PS3.5 A.5) in bounded steps."""

    def __init__(self, deflated: memoryview) -> None:
        self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left: bytes | memoryview = deflated

    def inflate(self, at_most: int) -> bytes:
        """Return the next bytes, ``at_most`` of them; raise ``Undecodable`` where the stream is damaged."""
        try:
            inflated = self._engine.decompress(self._left, at_most)
        except zlib.error as error:
            raise Undecodable("the deflated data set is damaged") from error
        self._left = self._engine.unconsumed_tail
        return inflated

    @property
    def is_at_end(self) -> bool:
        return self._engine.eof or not self._left


def is_dicom(data: bytes) -> bool:
    """Tell whether this is a DICOM file: 128 bytes of anything, then ``DICM``."""
    return data[128:132] == b"DICM"


def scan_meta(data: bytes) -> FileMeta:
    """Read the File Meta Information. Raises ``Undecodable``."""
    if not is_dicom(data):
        raise Undecodable("not a DICOM file")
    walker = _Walker(memoryview(data), 132, big_endian=False)
    walker.walk(stop_after_group_2=True)
    meta = Scan(big_endian=False, values=walker.values)
    transfer_syntax = meta.text("TransferSyntaxUID")
    if not transfer_syntax:
        raise Undecodable("the file does not name its transfer syntax")
    sop_class, sop_instance = meta.text("MediaStorageSOPClassUID"), meta.text("MediaStorageSOPInstanceUID")
    return FileMeta(sop_class, sop_instance, transfer_syntax, walker.position)


def scan_data_set(data: bytes, meta: FileMeta) -> Scan:
    """Walk the data set up to Pixel Data. Raises ``Undecodable``, or ``Skipped`` where a deflated one is too large."""
    view = memoryview(data)[meta.end :]
    inflater = None
    if meta.transfer_syntax == uid.DeflatedExplicitVRLittleEndian:
        inflater = _Inflater(view)
        view = memoryview(inflater.inflate(_MAX_DEFLATED_HEADER))
    big_endian = meta.transfer_syntax == uid.ExplicitVRBigEndian
    walker = _Walker(view, 0, big_endian=big_endian)
    try:
        walker.walk()
    except _CutShortError as error:
        if inflater is not None and not inflater.is_at_end:
            raise Skipped("over the size limit: the deflated header goes on for more than 16 MB") from error
        raise
    scan = Scan(big_endian=big_endian, values=walker.values)
    if walker.pixel_length is not None:
        scan.has_pixel_data = walker.pixel_length > 0
        scan.pixel_bytes = None if walker.pixel_length == _UNDEFINED else walker.pixel_length
        scan._rest = view[walker.position :]
        scan._inflater = inflater
    return scan


class _CutShortError(Undecodable):
    """The bytes end inside an element."""


class _Walker:
    """A position in the elements of a data set, and the short values found so far."""

    def __init__(self, view: memoryview, position: int, *, big_endian: bool) -> None:
        self._view = view
        self._order = ">" if big_endian else "<"
        self._plain = struct.Struct(self._order + "HHI")
        self._with_vr = struct.Struct(self._order + "HH2sH")
        self._length = struct.Struct(self._order + "I")
        self._left = _MAX_ELEMENTS
        # Some writers confuse implicit and explicit VR in the file meta: the first element shows which it is.
        self._implicit = bytes(view[position + 4 : position + 6]) not in _VRS
        self.position = position
        self.values: dict[int, bytes] = {}
        self.pixel_length: int | None = None

    def walk(self, *, stop_after_group_2: bool = False) -> None:
        """Walk the elements up to Pixel Data, to the end, or to the end of the file meta group."""
        end = len(self._view)
        while self.position < end:
            start = self.position
            tag, length, vr = self._element(self._implicit)
            if stop_after_group_2 and tag >> 16 != 2:
                self.position = start
                return
            if tag == _PIXEL_DATA:
                self.pixel_length = length
                return
            if length == _UNDEFINED:
                self._skip_undefined(vr)
                continue
            if tag in _KEPT and length <= _MAX_VALUE:
                self.values[tag] = bytes(self._view[self.position : self.position + length])
            self._advance(length)

    def _element(self, implicit: bool) -> tuple[int, int, bytes]:
        """Read an element's header: tag, length, value representation (empty where there is none)."""
        self._left -= 1
        if self._left < 0:
            raise Undecodable("the header has more elements than any radiograph")
        try:
            if implicit or bytes(self._view[self.position : self.position + 2]) in _ITEM_GROUPS:
                group, number, length = self._plain.unpack_from(self._view, self.position)
                self.position += 8
                return group << 16 | number, length, b""
            group, number, vr, length = self._with_vr.unpack_from(self._view, self.position)
            self.position += 8
            if vr in _LONG:
                (length,) = self._length.unpack_from(self._view, self.position)
                self.position += 4
        except struct.error as error:
            raise _CutShortError("the file is cut short in its header") from error
        return group << 16 | number, length, vr

    def _skip_undefined(self, vr: bytes) -> None:
        """Skip a sequence (or encapsulated value) of undefined length, however deep, without recursion."""
        depth = 1
        # Inside a sequence with VR UN, VR is implicit in every transfer syntax (PS3.5 6.2.2 note).
        implicit_from = 0 if self._implicit or vr == b"UN" else _NEVER
        while depth:
            tag, length, vr = self._element(depth > implicit_from)
            if tag in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
                if depth <= implicit_from and not self._implicit:
                    implicit_from = _NEVER
            elif length == _UNDEFINED:
                if vr == b"UN" and implicit_from == _NEVER:
                    implicit_from = depth
                depth += 1
            else:
                self._advance(length)

    def _advance(self, length: int) -> None:
        self.position += length
        if self.position > len(self._view):
            raise _CutShortError("the file is cut short in its header")
