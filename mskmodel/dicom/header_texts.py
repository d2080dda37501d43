"""The free texts and codes of a header that may say what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.datadict import tag_for_keyword

from mskmodel.dicom.character_set import codec, decoded
from mskmodel.dicom.elements import ElementWalk, first_item
from mskmodel.dicom.scan import Scan
from mskmodel.radiograph import HeaderCode, HeaderTexts, Undecodable

__all__ = ["header_texts"]

#: The longest text that is kept, characters: twice what the standard allows for a description.
_LONGEST: Final = 128
#: How far a sequence is looked into, bytes: its first item is short.
_ITEM_BYTES: Final = 16_384

_STUDY: Final = ("StudyDescription", "RequestedProcedureDescription", "PerformedProcedureStepDescription")
_PROTOCOL: Final = ("ProtocolName", "AcquisitionDeviceProcessingDescription", "AcquisitionProtocolName")
_STATION: Final = ("StationName", "ManufacturerModelName")


def _tag(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


_CODE: Final = (_tag("CodeValue"), _tag("CodingSchemeDesignator"), _tag("CodeMeaning"))
_REQUESTED: Final = (_tag("RequestedProcedureDescription"), _tag("ScheduledProcedureStepDescription"))
_MODIFIERS: Final = frozenset({_tag("ViewModifierCodeSequence"), _tag("AnatomicRegionModifierSequence")})
_KEPT: Final = frozenset({*_CODE, *_REQUESTED})


def header_texts(scan: Scan) -> HeaderTexts:
    """What a scanned header says in its own words. Never raises: what is damaged or too long says nothing."""
    name = codec(scan.value("SpecificCharacterSet"))

    def text(keyword: str) -> str:
        return decoded(scan.value(keyword), name, _LONGEST)

    def texts(keywords: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(text, keywords)))

    def codes(*keywords: str) -> tuple[HeaderCode, ...]:
        items = (_item(scan.sequence(keyword), scan.encoding.big_endian) for keyword in keywords)
        return tuple(code for item in items if item is not None for code in _codes(item, name))

    request = _item(scan.sequence("RequestAttributesSequence"), scan.encoding.big_endian)
    requested = () if request is None else _texts(request.values, _REQUESTED, name)
    return HeaderTexts(
        body_part=text("BodyPartExamined"),
        view_position=text("ViewPosition"),
        laterality=text("ImageLaterality") or text("Laterality"),
        anatomic_region=codes("AnatomicRegionSequence"),
        view_codes=codes("ViewCodeSequence"),
        study_descriptions=(*texts(_STUDY), *filter(None, requested)),
        procedure_codes=codes("ProcedureCodeSequence", "RequestedProcedureCodeSequence"),
        series_description=text("SeriesDescription"),
        protocols=texts(_PROTOCOL),
        protocol_codes=codes("PerformedProtocolCodeSequence"),
        modality=text("Modality"),
        station=texts(_STATION),
    )


def _item(items: memoryview | None, big_endian: bool) -> ElementWalk | None:
    """The first item of a sequence, None where there is none that can be read."""
    if not items:
        return None
    try:
        return first_item(items[:_ITEM_BYTES], _KEPT, big_endian=big_endian, sequences=_MODIFIERS)
    except Undecodable:
        return None


def _codes(item: ElementWalk, name: str) -> list[HeaderCode]:
    """The code of an item, and those of the modifiers in it."""
    modifiers = (_item(items, item.encoding.big_endian) for items in item.items.values())
    every = (item, *(modifier for modifier in modifiers if modifier is not None))
    found = (HeaderCode(*_texts(one.values, _CODE, name)) for one in every)
    return [code for code in found if code != HeaderCode()]


def _texts(values: Mapping[int, bytes], tags: tuple[int, ...], name: str) -> tuple[str, ...]:
    return tuple(decoded(values.get(tag, b""), name, _LONGEST) for tag in tags)
