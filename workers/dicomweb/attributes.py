"""What is told of a study, series or instance in place of its header, in the DICOM JSON model (PS3.18 F)."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from mskmodel.dicom.view_attributes import view_attributes
from mskmodel.labels import known_labels
from workers.records.shown import Shown

__all__ = ["BODY_PART", "DESCRIPTION", "NAMES", "OF_SERIES", "Elements", "attributes_of", "told"]

Elements = Mapping[str, Any]

BODY_PART: Final = "00180015"
DESCRIPTION: Final = "0008103E"
#: What may be rewritten, as people read it.
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        BODY_PART: "Body Part Examined",
        "00082218": "Anatomic Region Sequence",
        "00185101": "View Position",
        "00540220": "View Code Sequence",
        "00200060": "Laterality",
        "00200062": "Image Laterality",
        DESCRIPTION: "Series Description",
    }
)
#: Those that are attributes of a series (PS3.3 C.7.3.1); the others are attributes of an instance.
OF_SERIES: Final = frozenset({BODY_PART, "00200060", DESCRIPTION})
#: Between the descriptions of images of one series.
BETWEEN: Final = "; "
#: Most characters of a Series Description, and what stands for those that are left out.
LONGEST: Final = 64
MORE: Final = "..."

_NOTHING: Final[Elements] = MappingProxyType({})


def attributes_of(shown: Shown) -> Elements:
    """What is told of an instance that shows this; nothing where it has no label, or one that no table knows."""
    return _attributes_of(shown.label, shown.side, shown.modality == "CR")


@lru_cache(4096)
def _attributes_of(key: str, side: str, is_cr: bool) -> Elements:
    label = known_labels().get(key)
    if label is None:
        return _NOTHING
    found = _as_orthanc_writes(view_attributes(label, side, "CR" if is_cr else "").to_json_dict())
    assert found.keys() <= NAMES.keys()
    return MappingProxyType(found)


def _as_orthanc_writes(elements: Elements) -> dict[str, Any]:
    """Without lists of no values, so that what says the same is equal."""
    found = {}
    for tag, element in elements.items():
        values = [_as_orthanc_writes(each) if element["vr"] == "SQ" else each for each in element.get("Value", [])]
        found[tag] = {"vr": element["vr"], **({"Value": values} if values else {})}
    return found


def told(header: Elements, instances: Sequence[Shown], always: Collection[str]) -> dict[str, Any]:
    """The attributes that stand in place of those of the header, by tag; none where nothing is known better.

    An instance without a label says what the header says. An attribute of which all instances say the same is told.
    Where they differ, Series Description lists what they say, and every other attribute is empty.

    Args:
        header: of a study, a series or an instance, as Orthanc tells it.
        instances: what its instances show; each thing once is enough.
        always: tags that are told even if this header has none.
    """
    each = [attributes_of(shown) for shown in instances]
    tags = [tag for tag in NAMES if _is_told(tag, header, each, always)]
    return {tag: _together(tag, [one.get(tag, header.get(tag)) for one in each]) for tag in tags}


def _is_told(tag: str, header: Elements, each: Sequence[Elements], always: Collection[str]) -> bool:
    """Whether it takes the header's place; an empty one only where the header has another, which would contradict."""
    if tag in header or tag not in always:
        return tag in header and any(tag in one for one in each)
    return any("Value" in one.get(tag, ()) for one in each)


def _together(tag: str, elements: Sequence[Any]) -> Any:
    if all(element == elements[0] for element in elements):
        return elements[0]
    distinct = {json.dumps(element, sort_keys=True): element for element in elements if element is not None}
    known = list(distinct.values())
    vr = known[0]["vr"]
    if tag != DESCRIPTION:
        return {"vr": vr}
    return {"vr": vr, "Value": [_listed([str(element["Value"][0]) for element in known if element.get("Value")])]}


def _listed(descriptions: Sequence[str]) -> str:
    text = BETWEEN.join(descriptions)
    return text if len(text) <= LONGEST else text[: LONGEST - len(MORE)] + MORE
