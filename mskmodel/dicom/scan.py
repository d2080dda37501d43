"""The few attributes that matter in a DICOM file, found without building a data set.

What a file is announced to be and what it is may differ: the data set decides before the File Meta Information, and
how it is encoded is read off its first element. Orthanc and viewers do the same. A file may lack the preamble, the
File Meta Information, or both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from pydicom import uid
from pydicom.datadict import tag_for_keyword

from mskmodel.dicom.elements import UNDEFINED, CutShortError, ElementWalk, Encoding
from mskmodel.dicom.inflating import Inflater
from mskmodel.radiograph import Skipped, Undecodable

__all__ = ["FileMeta", "Scan", "is_dicom", "scan_data_set", "scan_meta"]

#: A deflated header must end within this many inflated bytes.
_MAX_DEFLATED_HEADER: Final = 16 * 2**20
#: The first tag behind the File Meta Information.
_BEHIND_META: Final = 0x00030000
#: Groups with which a file without preamble begins, in either byte order: File Meta Information, or the identifying
#: group.
_FIRST_GROUPS: Final = (b"\x02\0", b"\0\x02", b"\x08\0", b"\0\x08")
#: Elements in ascending order by which such a file is told from other files, and bytes in which they must lie.
_TELLING_ELEMENTS, _TELLING_BYTES = 3, 4096


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


_KEPT: Final = _tags(
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "Laterality",
    "ImageLaterality",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "AcquisitionProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "StationName",
    "ManufacturerModelName",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
    "RescaleIntercept",
    "RescaleSlope",
    "PresentationLUTShape",
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
    "CollimatorShape",
    "CollimatorLeftVerticalEdge",
    "CollimatorRightVerticalEdge",
    "CollimatorUpperHorizontalEdge",
    "CollimatorLowerHorizontalEdge",
    "CenterOfCircularCollimator",
    "RadiusOfCircularCollimator",
    "VerticesOfThePolygonalCollimator",
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "TransferSyntaxUID",
)
#: Sequences whose items matter.
_KEPT_SEQUENCES: Final = _tags(
    "ModalityLUTSequence",
    "VOILUTSequence",
    "AnatomicRegionSequence",
    "ViewCodeSequence",
    "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence",
    "PerformedProtocolCodeSequence",
    "RequestAttributesSequence",
)


@dataclass(frozen=True)
class FileMeta:
    """File Meta Information (PS3.10 7.1), ``""`` where it does not say. ``end`` is where the data set begins."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    end: int


@dataclass
class Scan:
    """Short values of a data set's top level, and its Pixel Data."""

    encoding: Encoding = field(default_factory=Encoding)
    is_deflated: bool = False
    values: dict[int, bytes] = field(default_factory=dict)
    #: What lies in the sequences that matter.
    items: dict[int, memoryview] = field(default_factory=dict)
    #: False where the data set ends without Pixel Data.
    has_pixel_data: bool = False
    #: Length of Pixel Data; None where it is undefined, as of encapsulated frames.
    pixel_bytes: int | None = None
    #: Value representation of Pixel Data, empty where VR is implicit.
    pixel_vr: bytes = b""
    #: Everything after the header of the Pixel Data element.
    _rest: memoryview = field(default_factory=lambda: memoryview(b""))
    _inflater: Inflater | None = None

    @property
    def transfer_syntax(self) -> str:
        """The transfer syntax of uncompressed pixels that the data set is encoded in."""
        return uid.DeflatedExplicitVRLittleEndian if self.is_deflated else self.encoding.transfer_syntax

    def text(self, keyword: str) -> str:
        """Return a text value without padding, ``""`` where it is absent or not plain printable text."""
        text = self.value(keyword).decode("ascii", "replace").strip(" \0")
        return text if re.fullmatch(r"[\x20-\x7e]{0,64}", text) else ""

    def number(self, keyword: str) -> int | None:
        """Return the (first) 16-bit unsigned value, None where there is none."""
        value = self.value(keyword)
        if len(value) < 2:
            return None
        return int.from_bytes(value[:2], "big" if self.encoding.big_endian else "little")

    def decimals(self, keyword: str) -> tuple[float, ...]:
        """Return the finite numbers of a Decimal or Integer String, none where one of them is no such number."""
        try:
            found = tuple(float(part) for part in self.value(keyword).decode("ascii").strip(" \0").split("\\"))
        except ValueError:
            return ()
        return found if all(map(math.isfinite, found)) else ()

    def words(self, keyword: str) -> frozenset[str]:
        """Return the values of a Code String, in capital letters."""
        return frozenset(word.strip().upper() for word in self.text(keyword).split("\\"))

    def sequence(self, keyword: str) -> memoryview | None:
        """Return what lies in a sequence, None where the data set does not have it."""
        tag = tag_for_keyword(keyword)
        return None if tag is None else self.items.get(tag)

    def value(self, keyword: str) -> bytes:
        """Return a value as it lies in the file, empty where there is none or a long one."""
        tag = tag_for_keyword(keyword)
        return b"" if tag is None else self.values.get(tag, b"")

    def pixel_data(self, at_most: int = 0) -> memoryview:
        """Return the value of Pixel Data; a deflated one is inflated up to ``at_most`` bytes."""
        if self._inflater is not None and len(self._rest) < at_most:
            more = self._inflater.inflate(at_most - len(self._rest))
            self._rest, self._inflater = memoryview(bytes(self._rest) + more), None
        return self._rest if self.pixel_bytes is None else self._rest[: self.pixel_bytes]


def is_dicom(data: bytes) -> bool:
    """Tell whether this is a DICOM file, by its beginning.

    That is 128 bytes of anything and ``DICM``; or the elements of a data set, which may be deflated.
    """
    return _has_preamble(data) or _begins_with_elements(memoryview(data)) or _is_deflated(memoryview(data))


def _has_preamble(data: bytes) -> bool:
    return data[128:132] == b"DICM"


def _begins_with_elements(view: memoryview) -> bool:
    """Tell whether these bytes begin as a data set: an identifying group, and tags that ascend."""
    if not _begins_with_first_group(view):
        return False
    try:
        tags = ElementWalk(view[:_TELLING_BYTES], frozenset()).tags(_TELLING_ELEMENTS)
    except Undecodable:
        return False
    return all(first < second for first, second in pairwise(tags))


def _begins_with_first_group(view: memoryview) -> bool:
    return bytes(view[:2]) in _FIRST_GROUPS


def _is_deflated(view: memoryview) -> bool:
    if _begins_with_first_group(view):
        return False
    try:
        return _begins_with_elements(memoryview(Inflater(view[:_TELLING_BYTES]).inflate(_TELLING_BYTES)))
    except Undecodable:
        return False


def scan_meta(data: bytes) -> FileMeta:
    """Read the File Meta Information, if there is any. Raises ``Undecodable`` where this is no DICOM file."""
    if not is_dicom(data):
        raise Undecodable("not a DICOM file")
    start = 132 if _has_preamble(data) else 0
    view = memoryview(data)[start:]
    walk = ElementWalk(view, _KEPT)
    meta = Scan(walk.encoding, values=walk.values)
    if not _is_deflated(view):
        walk.walk(before=_BEHIND_META)
    return FileMeta(
        sop_class=meta.text("MediaStorageSOPClassUID"),
        sop_instance=meta.text("MediaStorageSOPInstanceUID"),
        transfer_syntax=meta.text("TransferSyntaxUID"),
        end=start + walk.position,
    )


def scan_data_set(data: bytes, meta: FileMeta, *, before: int | None = None, keep: AbstractSet[int] = _KEPT) -> Scan:
    """Walk the data set up to Pixel Data, or to the first element whose tag is not below ``before``.

    ``keep``: tags of the elements whose values matter.

    Raises ``Undecodable``, or ``Skipped`` where a deflated one is too large.
    """
    view = memoryview(data)[meta.end :]
    if not view:
        raise Undecodable("the file holds no data set")
    inflater = None
    said_deflated = meta.transfer_syntax == uid.DeflatedExplicitVRLittleEndian
    if not _begins_with_elements(view) if said_deflated else _is_deflated(view):
        inflater = Inflater(view)
        view = memoryview(inflater.inflate(_MAX_DEFLATED_HEADER))
    walk = ElementWalk(view, keep, sequences=_KEPT_SEQUENCES)
    try:
        walk.walk() if before is None else walk.walk(before=before)
    except CutShortError as error:
        if inflater is not None and not inflater.is_at_end:
            raise Skipped("over the size limit: the deflated header goes on for more than 16 MB") from error
        raise
    scan = Scan(walk.encoding, is_deflated=inflater is not None, values=walk.values, items=walk.items)
    if walk.pixel_length is not None:
        scan.has_pixel_data = walk.pixel_length > 0
        scan.pixel_bytes = None if walk.pixel_length == UNDEFINED else walk.pixel_length
        scan.pixel_vr = walk.pixel_vr
        scan._rest = view[walk.position :]
        scan._inflater = inflater
    return scan
