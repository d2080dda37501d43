"""Which objects are radiographs: by SOP class, and where that does not say it, by Modality."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

from pydicom import uid

from mskmodel.dicom import terms
from mskmodel.radiograph import Skipped

__all__ = ["BY_DEFAULT", "RadiographKinds"]

#: What people call some SOP classes.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "CR": (uid.ComputedRadiographyImageStorage,),
    "DX": (uid.DigitalXRayImageStorageForPresentation, uid.DigitalXRayImageStorageForProcessing),
    # Those of several frames may hold a single one; others are skipped for it.
    "SC": (
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    ),
}
#: Secondary Capture holds anything; with these modalities, digitised film and what portable systems send.
_DEFAULT: Final = "CR, DX, SC/CR, SC/DX, SC/RG"
_KIND: Final = re.compile(r"(?P<name>CR|DX|SC|[0-2](?:\.\d+)+)(?:/(?P<modality>[A-Z0-9_ ]{1,16}))?")


def _parsed(text: str) -> Mapping[str, frozenset[str]]:
    """The modalities by SOP class; none stands for any. Raises ``ValueError``."""
    found: dict[str, set[str]] = {}
    anything = set()
    for kind in filter(None, (each.strip() for each in text.upper().split(","))):
        match = _KIND.fullmatch(kind)
        if match is None or len(match["name"]) > 64:
            raise ValueError(f"{kind} is no kind of radiograph")
        for sop_class in _NAMES.get(match["name"], (match["name"],)):
            found.setdefault(sop_class, set()).update(filter(None, [match["modality"]]))
            if not match["modality"]:
                anything.add(sop_class)
    if not found:
        raise ValueError("it names no kind of radiograph")
    return MappingProxyType({each: frozenset(() if each in anything else found[each]) for each in found})


@dataclass(frozen=True)
class RadiographKinds:
    """The SOP classes that are radiographs, with any modality or with some. By default CR and DX, and SC of X-rays."""

    _modalities: Mapping[str, frozenset[str]] = field(default_factory=lambda: _parsed(_DEFAULT))

    @classmethod
    def of(cls, text: str) -> Self:
        """From a list of kinds with commas between: a SOP class, or a SOP class, a slash and a modality.

        A SOP class is ``CR``, ``DX``, ``SC`` or a UID. Raises ``ValueError`` where the text is no such list.
        """
        return cls(_parsed(text))

    def check(self, sop_class: str, modality: str | None) -> None:
        """Raise ``Skipped`` where an object is no radiograph.

        ``sop_class``: a UID; ``""``, which a file may not say, passes. ``modality``: as the header has it, ``""`` where
        it has none, None where it is not known yet: then only what is no radiograph with any modality is refused.
        """
        if not sop_class:
            return
        if sop_class not in self._modalities:
            raise Skipped(f"not a radiograph: {terms.uid_name(sop_class)}")
        if modality is not None and self.depends_on_modality(sop_class):
            term = modality.strip().upper()
            if term not in self._modalities[sop_class]:
                said = f"with the modality {terms.modality(term)}" if term else "without a modality"
                raise Skipped(f"not a radiograph: {terms.uid_name(sop_class)} {said}")

    def depends_on_modality(self, sop_class: str) -> bool:
        """Whether objects of this class are radiographs with some modalities only."""
        return bool(self._modalities.get(sop_class))


#: What counts as a radiograph where nobody says otherwise.
BY_DEFAULT: Final = RadiographKinds()
