"""Codes for Body Part Examined, View Position and laterality, and the items of sequences that they are."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.labels import BY_KEY

__all__ = ["REGIONS", "SIDES", "UNPAIRED", "VIEWS", "coded"]

_KNOWN: Final = tuple(BY_KEY.values())
#: Anatomic Region Sequence by Body Part Examined (PS3.16 Annex L): SNOMED CT, CID 4009 where it has the region.
REGIONS: Final[dict[str, Code]] = {label.body_part: label.anatomy for label in _KNOWN if label.anatomy} | {
    "LEG": codes.cid4009.LowerLeg,
    "TIBIAFIBULA": codes.SCT.TibiaAndFibula,
}
#: Body parts that have no left and no right.
UNPAIRED: Final = frozenset({"CHEST", "CSPINE", "PELVIS", "SKULL", "SPINE"})
#: View Code Sequence by View Position: SNOMED CT, CID 4010, which has no code for a frog leg or a scapular Y.
VIEWS: Final[dict[str, Code]] = {label.view_position: label.view_code for label in _KNOWN if label.view_code} | {
    "PA": codes.cid4010.PosteroAnterior,
}
#: Anatomic Region Modifier by side (CID 244).
SIDES: Final = {"R": codes.cid244.Right, "L": codes.cid244.Left, "B": codes.cid244.Bilateral}


def coded(code: Code) -> Dataset:
    """The item of a sequence that a code is."""
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return ds
