"""The elements of a data set, one after the other, as they lie in the bytes (PS3.5 section 7).

The bytes come from anywhere, and a general parser can be made to allocate gigabytes by nested or countless tiny
elements. This walk looks at one level once, skips other elements without looking inside (sequences of undefined length
by counting), keeps only short values, and stops at Pixel Data. A sequence that matters is kept as bytes: its first item
is one more such walk.
"""

from __future__ import annotations

import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from pydicom import uid
from pydicom.valuerep import VR

from mskmodel.radiograph import Undecodable

__all__ = ["PIXEL_DATA", "UNDEFINED", "CutShortError", "ElementWalk", "Encoding", "encoding_at", "first_item"]

#: The length of what ends with a delimiter.
UNDEFINED: Final = 0xFFFFFFFF
PIXEL_DATA: Final = 0x7FE00010
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
#: Group FFFE in either byte order: items and delimiters have no value representation.
_ITEM_GROUPS: Final = (b"\xfe\xff", b"\xff\xfe")
#: A depth that is never reached.
_NEVER: Final = 2**62
#: Value representations with a 32-bit length after two reserved bytes.
_LONG: Final = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_VRS: Final = frozenset(vr.value.encode() for vr in VR if len(vr.value) == 2)
#: Those with a 16-bit length, and what old writers put where they knew none.
_SHORT: Final = (_VRS - _LONG) | {b"??", b"  ", b"\0\0", b"--"}
#: A radiograph has a few hundred elements, with private ones a few thousand.
_MAX_ELEMENTS: Final = 200_000
#: The longest value that is kept, bytes: the vertices of a polygon are the longest.
_MAX_VALUE: Final = 2048


class CutShortError(Undecodable):
    """The bytes end inside an element."""


@dataclass(frozen=True)
class Encoding:
    """How the elements of a data set are written down."""

    implicit: bool = False
    big_endian: bool = False

    @property
    def transfer_syntax(self) -> str:
        """The transfer syntax of uncompressed pixels that is written so."""
        if self.implicit:
            return uid.ImplicitVRLittleEndian
        return uid.ExplicitVRBigEndian if self.big_endian else uid.ExplicitVRLittleEndian


def encoding_at(view: memoryview) -> Encoding:
    """How these bytes are encoded, judged by their first element: some writers announce what they do not write.

    Groups at the beginning of a file are small numbers, so the byte order that makes them small is the right one.
    """
    group = bytes(view[:2])
    implicit = bytes(view[4:6]) not in _VRS
    return Encoding(implicit, int.from_bytes(group, "big") < int.from_bytes(group, "little"))


class ElementWalk:
    """A position in the elements of a data set, and the short values found so far.

    Args:
        view: the elements, from their first byte.
        keep: tags whose values are kept, the first where a tag comes twice.
        sequences: tags of sequences whose bytes are kept, in the same way.
        longest: the longest value that is kept, bytes.
    """

    def __init__(
        self,
        view: memoryview,
        keep: AbstractSet[int],
        *,
        sequences: AbstractSet[int] = frozenset(),
        longest: int = _MAX_VALUE,
    ) -> None:
        self._view, self._keep, self._sequences, self._longest = view, keep, sequences, longest
        self.encoding = encoding_at(view)
        order = ">" if self.encoding.big_endian else "<"
        self._plain = struct.Struct(order + "HHI")
        self._with_vr = struct.Struct(order + "HH2sH")
        self._length = struct.Struct(order + "I")
        self._left = _MAX_ELEMENTS
        #: Where the next element begins; behind Pixel Data's header once that is met.
        self.position = 0
        self.values: dict[int, bytes] = {}
        #: What lies in the sequences: items, and a delimiter at the end of some.
        self.items: dict[int, memoryview] = {}
        #: Length of Pixel Data as its header gives it; None if it was not met.
        self.pixel_length: int | None = None
        #: Its value representation, empty where VR is implicit.
        self.pixel_vr = b""

    def walk(self, *, before: int = _NEVER) -> None:
        """Walk up to Pixel Data, to the end, or to the first element whose tag is not below ``before``.

        Raises:
            CutShortError: the bytes end inside an element.
            Undecodable: there are more elements than any radiograph has.
        """
        end, implicit = len(self._view), self.encoding.implicit
        while self.position < end:
            start = self.position
            tag, length, vr = self._element(implicit)
            if tag >= before:
                self.position = start
                return
            if tag == PIXEL_DATA:
                self.pixel_length, self.pixel_vr = length, vr
                return
            begin = self.position
            if length == UNDEFINED:
                self._skip_undefined(vr)
            else:
                self._advance(length)
                if tag in self._keep and length <= self._longest:
                    self.values.setdefault(tag, bytes(self._view[begin : self.position]))
            if tag in self._sequences:
                self.items.setdefault(tag, self._view[begin : self.position])

    def tags(self, count: int) -> list[int]:
        """The next ``count`` tags. Raises as `walk` does, also where there are fewer."""
        found = []
        for _ in range(count):
            tag, length, vr = self._element(self.encoding.implicit)
            found.append(tag)
            if length == UNDEFINED:
                self._skip_undefined(vr)
            else:
                self._advance(length)
        return found

    def _element(self, implicit: bool) -> tuple[int, int, bytes]:
        """Read an element's header: tag, length, value representation (empty where there is none)."""
        self._left -= 1
        if self._left < 0:
            raise Undecodable("the header has more elements than any radiograph")
        try:
            if implicit or bytes(self._view[self.position : self.position + 2]) in _ITEM_GROUPS:
                return self._without_vr()
            group, number, vr, length = self._with_vr.unpack_from(self._view, self.position)
            if vr not in _SHORT:
                # A representation that is not known yet has a long length (PS3.5 6.2); other bytes are none at all.
                if vr not in _LONG and not (vr.isalpha() and vr.isupper()):
                    return self._without_vr()
                (length,) = self._length.unpack_from(self._view, self.position + 8)
                self.position += 4
            self.position += 8
        except struct.error as error:
            raise CutShortError("the file is cut short in its header") from error
        return group << 16 | number, length, vr

    def _without_vr(self) -> tuple[int, int, bytes]:
        group, number, length = self._plain.unpack_from(self._view, self.position)
        self.position += 8
        return group << 16 | number, length, b""

    def _skip_undefined(self, vr: bytes) -> None:
        """Skip a sequence (or encapsulated value) of undefined length, however deep, without recursion."""
        depth = 1
        # Inside a sequence with VR UN, VR is implicit in every transfer syntax (PS3.5 6.2.2 note).
        implicit_from = 0 if self.encoding.implicit or vr == b"UN" else _NEVER
        while depth:
            tag, length, vr = self._element(depth > implicit_from)
            if tag in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
                if depth <= implicit_from and not self.encoding.implicit:
                    implicit_from = _NEVER
            elif length == UNDEFINED:
                if vr == b"UN" and implicit_from == _NEVER:
                    implicit_from = depth
                depth += 1
            else:
                self._advance(length)

    def _advance(self, length: int) -> None:
        self.position += length
        if self.position > len(self._view):
            raise CutShortError("the file is cut short in its header")


def first_item(
    items: memoryview,
    keep: AbstractSet[int],
    *,
    big_endian: bool,
    sequences: AbstractSet[int] = frozenset(),
    longest: int = _MAX_VALUE,
) -> ElementWalk:
    """A walk through a sequence's first item, at its end; the arguments are the walk's.

    ``items``: what lies in the sequence. Raises ``Undecodable`` where there is no item, or it is damaged.
    """
    try:
        group, number, length = struct.unpack_from(">HHI" if big_endian else "<HHI", items)
    except struct.error as error:
        raise CutShortError("the file is cut short in its header") from error
    if group << 16 | number != _ITEM:
        raise Undecodable("a sequence holds no item")
    inside = items[8:] if length == UNDEFINED else items[8 : 8 + length]
    walk = ElementWalk(inside, keep, sequences=sequences, longest=longest)
    walk.walk(before=_ITEM)
    return walk
