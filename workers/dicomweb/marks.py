"""What is told in place of a header is named as such, so that nobody takes it for the header.

Contributing Equipment Sequence (PS3.3 C.12.1, CID 7005) names the labeller as what has modified the attributes; in
metadata, Original Attributes Sequence holds the values of the stored file.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from workers.dicomweb.attributes import NAMES, Elements
from workers.records.shown import Shown

__all__ = ["marked", "with_originals"]

CONTRIBUTING_EQUIPMENT: Final = "0018A001"
ORIGINAL_ATTRIBUTES: Final = "04000561"
MANUFACTURER: Final = "MSK Labeller"
MODEL: Final = "msk-labeller"


def marked(header: Elements, told: Elements, instances: Iterable[Shown]) -> dict[str, Any]:
    """The header with what is told in its place, and an item of Contributing Equipment Sequence that says so."""
    by = tuple(sorted({shown.by for shown in instances if shown.label}))
    item = _equipment(tuple(told), by)
    before = (header.get(CONTRIBUTING_EQUIPMENT) or {}).get("Value", [])
    sequence = {"vr": "SQ", "Value": [*before, item]}
    return dict(sorted({**header, **told, CONTRIBUTING_EQUIPMENT: sequence}.items()))


def with_originals(row: Elements, header: Elements, told: Elements, instances: Sequence[Shown]) -> dict[str, Any]:
    """The row with an item of Original Attributes Sequence: of what is told, the values that the header has."""
    originals = {tag: header[tag] for tag in told if tag in header}
    if not originals:
        return dict(row)
    item = {
        "04000550": _sequence(originals),  # Modified Attributes Sequence
        "04000562": _element("DT", _moment(max(shown.since for shown in instances))),
        "04000563": _element("LO", MODEL),  # Modifying System
        "04000564": {"vr": "LO"},  # Source of Previous Values: unknown
        "04000565": _element("CS", "CORRECT"),  # Reason for the Attribute Modification
    }
    before = (header.get(ORIGINAL_ATTRIBUTES) or {}).get("Value", [])
    return dict(sorted({**row, ORIGINAL_ATTRIBUTES: {"vr": "SQ", "Value": [*before, item]}}.items()))


@lru_cache(1024)
def _equipment(tags: tuple[str, ...], by: tuple[str, ...]) -> Mapping[str, Any]:
    """``by``: versions of models; "" for a person."""
    names = ", ".join(NAMES[tag] for tag in tags)
    told_by = " and ".join(f"model {each}" if each else "a person" for each in by)
    code = {
        "00080100": _element("SH", "109103"),
        "00080102": _element("SH", "DCM"),
        "00080104": _element("LO", "Modifying Equipment"),
    }
    models = [each for each in by if each]
    said = f"{names}: as {told_by} labelled the image; the stored file says otherwise or nothing"
    return {
        "00080070": _element("LO", MANUFACTURER),
        "00081090": _element("LO", MODEL),
        "00181020": _element("LO", version(MODEL), *models),  # Software Versions
        "0018A003": _element("ST", said),  # Contribution Description
        "0040A170": _sequence(code),  # Purpose of Reference Code Sequence
    }


def _element(vr: str, *values: str) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def _sequence(item: Elements) -> dict[str, Any]:
    return {"vr": "SQ", "Value": [dict(item)]}


def _moment(since: str) -> str:
    """As DICOM writes it (DT)."""
    return datetime.fromisoformat(since).astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
