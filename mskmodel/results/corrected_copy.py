"""Copies of images whose headers say what the images show; pixels and transfer syntax stay as they are.

A copy is another object (PS3.3 C.12.1.1.9): what its header said before stands in its Original Attributes Sequence, its
source in Source Image Sequence, and this program in Contributing Equipment Sequence. Its identifiers follow from those
of the source, the label and the side, so that a repeated copy is the same object. Each region, view and side of a
series becomes a series of its own, since Body Part Examined and Series Description belong to the series.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

from pydicom import dcmread, uid
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag, Tag

from mskmodel.dicom.codes import UNPAIRED, coded
from mskmodel.dicom.derived_uid import IMPLEMENTATION, derived_uid
from mskmodel.dicom.scan import Scan, scan_data_set, scan_meta
from mskmodel.dicom.view_attributes import view_attributes
from mskmodel.dicom.writing import DX_PRESENTATION, DX_PROCESSING
from mskmodel.labels import Label
from mskmodel.radiograph import Undecodable
from mskmodel.results.plain_text import plain_text
from mskmodel.results.program import MANUFACTURER, PROGRAM, version

__all__ = ["Copy", "corrected_copy"]

#: Of what a copy says and how; another one makes other objects.
FORMAT: Final = "1"
_UID: Final = re.compile(rb"[0-9.]{1,64}")
_CODE_STRING: Final = re.compile(rb"[A-Z0-9 _\\]{0,16}")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f\\]")
#: Most bytes of a long string that no character set makes longer than DICOM admits.
_LONG_STRING: Final = 64
#: Signatures, which are those of other contents.
_SIGNATURES: Final = (Tag("MACParametersSequence"), Tag("DigitalSignaturesSequence"))
#: What a reader raises for a data set that is damaged, or nested too deeply.
_DAMAGED: Final = (
    InvalidDicomError,
    AttributeError,
    EOFError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Copy:
    """A DICOM file. ``instance``: its SOP Instance UID. ``series``: its Series Instance UID."""

    instance: str
    series: str
    data: bytes


def corrected_copy(data: bytes, label: Label, side: str, said_by: str, said_at: datetime) -> Copy:
    """Return the copy of an image that shows ``label``.

    Args:
        data: the DICOM file.
        side: R, L or B; ``""`` where it is unknown, and the header's stays.
        said_by: who gave the label, such as ``model v1`` or ``a person``; no person's name.
        said_at: when.

    Raises:
        NotClassifiable: the file is damaged, or its unique identifiers are not valid.
    """
    scan = scan_data_set(data, scan_meta(data))  # refuses what would cost a general parser too much
    identity = [scan.value(each).rstrip(b"\0 ") for each in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")]
    if not all(map(_UID.fullmatch, identity)):
        raise Undecodable("a unique identifier in its header is not valid")
    source, series = identity[0].decode(), identity[1].decode()
    changes = _changes(label, side, scan)
    changes.SOPInstanceUID = derived_uid("copy", FORMAT, series, source, label.key, side)
    changes.SeriesInstanceUID = derived_uid("copies", FORMAT, series, label.key, side)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote the header
            written = _written(data, scan, changes, f"{label.key} by {said_by}", _date_time(said_at))
    except _DAMAGED as error:
        raise Undecodable(f"its header cannot be written anew ({type(error).__name__})") from None
    return Copy(str(changes.SOPInstanceUID), str(changes.SeriesInstanceUID), written)


def _changes(label: Label, side: str, scan: Scan) -> Dataset:
    changes = view_attributes(label, side, scan.text("Modality"))
    changes.SeriesDescription = plain_text(changes.SeriesDescription, label.key)
    of_image = "ImageLaterality" in changes or bool(scan.text("ImageLaterality"))
    for tag in map(Tag, ("Laterality", "ImageLaterality")):
        changes.pop(tag, None)
    if label.region:  # else the header's body part stays, and so does its side
        changes.update(_laterality(label.body_part in UNPAIRED, side, scan, of_image=of_image))
    if _is_dx(scan):  # which alone has an empty sequence there (type 2)
        for view in changes.get("ViewCodeSequence", ()):
            view.ViewModifierCodeSequence = []
    return changes


def _laterality(unpaired: bool, side: str, scan: Scan, *, of_image: bool) -> Dataset:
    """The side of the image, or else of the series: then absent for an unpaired body part, and empty for both sides."""
    ds = Dataset()
    ds.Laterality = None
    if of_image:
        ds.ImageLaterality = "U" if unpaired else side or scan.text("ImageLaterality")
    elif not unpaired:
        ds.Laterality = side.replace("B", "") if side else scan.text("Laterality")
    return ds


def _is_dx(scan: Scan) -> bool:
    return scan.text("SOPClassUID") in (DX_PRESENTATION, DX_PROCESSING)


def _written(data: bytes, scan: Scan, changes: Dataset, what: str, when: str) -> bytes:
    """The file with these changes; no value of its header is looked at, since pydicom logs those that are not valid."""
    ds = dcmread(BytesIO(data))
    sop_class, source = uid.UID(scan.text("SOPClassUID")), uid.UID(scan.text("SOPInstanceUID"))
    for item in _original(ds, changes, when):
        _append(ds, "OriginalAttributesSequence", item)
    _append(ds, "ContributingEquipmentSequence", _equipment(what))
    _append(ds, "SourceImageSequence", _reference(sop_class, source))
    for tag in _SIGNATURES:
        ds.pop(tag, None)
    for element in changes:
        if _stands(element, is_dx=_is_dx(scan)):
            ds[element.tag] = element
        else:
            ds.pop(element.tag, None)
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = changes.SOPInstanceUID
    ds.file_meta.ImplementationClassUID, ds.file_meta.ImplementationVersionName = IMPLEMENTATION, "MSK-LABELLER"
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _append(ds: Dataset, keyword: str, item: Dataset) -> None:
    setattr(ds, keyword, Sequence([*ds.get(keyword, ()), item]))


def _stands(element: DataElement, *, is_dx: bool) -> bool:
    """Whether an element is in the copy: an empty sequence only where every object of that kind has one."""
    if element.VR == "SQ" and not element.value:
        return is_dx and element.keyword == "AnatomicRegionSequence"
    return element.value is not None


def _original(ds: Dataset, changes: Dataset, when: str) -> Iterator[Dataset]:
    """Items of Original Attributes Sequence: what stood there, byte by byte; what is not valid has an item each."""
    before = Dataset()
    nonconforming = []
    for element in changes:
        if element.tag not in ds:
            continue
        found = ds.get_item(element.tag)
        if isinstance(found.value, bytes) and not _is_valid(element.tag, found.value):
            nonconforming.append(_nonconforming(element.tag, found.value))
        else:
            before[element.tag] = found
    yield _original_item(before, when)
    for each in nonconforming:
        item = _original_item(Dataset(), when)
        item.NonconformingModifiedAttributesSequence = [each]
        yield item


def _original_item(before: Dataset, when: str) -> Dataset:
    item = Dataset()
    item.ModifiedAttributesSequence = [before]
    item.AttributeModificationDateTime = when
    item.ModifyingSystem = PROGRAM
    item.SourceOfPreviousValues = ""
    item.ReasonForTheAttributeModification = "CORRECT"
    return item


def _is_valid(tag: BaseTag, value: bytes) -> bool:
    plain, vr = value.rstrip(b" \0"), dictionary_VR(tag)
    if vr == "UI":
        return _UID.fullmatch(plain) is not None
    if vr == "CS":
        return _CODE_STRING.fullmatch(plain) is not None
    return vr == "SQ" or (len(plain) <= _LONG_STRING and not _CONTROL.search(plain))


def _nonconforming(tag: BaseTag, value: bytes) -> Dataset:
    item = Dataset()
    item.SelectorAttribute, item.SelectorValueNumber = tag, 1
    item.NonconformingDataElementValue = value
    return item


def _equipment(what: str) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.ModifyingEquipment)]
    item.Manufacturer, item.ManufacturerModelName, item.SoftwareVersions = MANUFACTURER, PROGRAM, version()
    item.ContributionDescription = f"Region, view, side and description of the header, by the label {what}"
    return item


def _reference(sop_class: uid.UID, instance: uid.UID) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def _date_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S") + "+0000"
