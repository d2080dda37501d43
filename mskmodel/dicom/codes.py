"""Codes for the values of Body Part Examined and View Position."""

from __future__ import annotations

from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.labels import LABELS

__all__ = ["REGIONS", "UNPAIRED", "VIEWS"]

#: Anatomic Region Sequence by Body Part Examined (PS3.16 Annex L): SNOMED CT, CID 4009 where it has the region.
REGIONS: Final[dict[str, Code]] = {label.body_part: label.anatomy for label in LABELS} | {
    "CALCANEUS": codes.cid4009.Calcaneus,
    "CHEST": codes.cid4009.Chest,
    "CLAVICLE": codes.cid4009.Clavicle,
    "CSPINE": codes.cid4009.CervicalSpine,
    "FEMUR": codes.cid4009.Femur,
    "FINGER": codes.cid4009.Finger,
    "FOREARM": codes.cid4009.Forearm,
    "HIP": codes.cid4009.HipJoint,
    "HUMERUS": codes.cid4009.Humerus,
    "LEG": codes.cid4009.LowerLeg,
    "PATELLA": codes.cid4009.Patella,
    "SCAPULA": codes.cid4009.Scapula,
    "SKULL": codes.cid4009.Skull,
    "SPINE": codes.cid4009.Spine,
    "THUMB": codes.cid4009.Thumb,
    "TIBIAFIBULA": codes.SCT.TibiaAndFibula,
    "TOE": codes.cid4009.Toe,
    "WRIST": codes.cid4009.WristJoint,
}
#: Body parts that have no left and no right.
UNPAIRED: Final = frozenset({"CHEST", "CSPINE", "PELVIS", "SKULL", "SPINE"})
#: View Code Sequence by View Position: SNOMED CT, CID 4010, which has no code for a frog leg or a scapular Y.
VIEWS: Final[dict[str, Code]] = {label.view_position: label.view for label in LABELS} | {
    "OBL": codes.cid4010.ObliqueProjection,
    "PA": codes.cid4010.PosteroAnterior,
    "SKYLINE": codes.cid4010.Tangential,
}
