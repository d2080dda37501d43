"""Codes for the values of Body Part Examined and View Position."""

from __future__ import annotations

from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.labels import BY_KEY

__all__ = ["REGIONS", "UNPAIRED", "VIEWS"]

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
