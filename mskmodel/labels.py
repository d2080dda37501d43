"""The classes this project labels by default, and what each one is called in DICOM.

This is the only list of them. A model version carries its own classes, so code that serves a model asks the model;
this list says what the shipped model, the phantoms and the reports mean by a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

__all__ = ["BY_KEY", "KEYS", "LABELS", "Label"]


@dataclass(frozen=True)
class Label:
    """One anatomical region seen in one view."""

    #: What is stored and sent: lower case, ``<region>_<view>``.
    key: str
    #: What people read.
    display: str
    #: Body Part Examined (0018,0015), a defined term of PS3.16 Annex L.
    body_part: str
    #: View Position (0018,5101). AP and LL are defined terms of PS3.3; there is none for axillary.
    view_position: str
    #: Anatomic Region Sequence, SNOMED CT, CID 4009.
    anatomy: Code
    #: View Code Sequence, SNOMED CT, CID 4010.
    view: Code


_AP = ("AP", codes.cid4010.AnteroPosterior)
_LATERAL = ("LL", codes.cid4010.LateralProjection)
_AXILLARY = ("AXIAL", codes.cid4010.AxialProjection)


def _label(key: str, display: str, body_part: str, anatomy: Code, view: tuple[str, Code]) -> Label:
    return Label(key, display, body_part, view_position=view[0], anatomy=anatomy, view=view[1])


LABELS: Final[tuple[Label, ...]] = (
    _label("ankle_ap", "Ankle AP", "ANKLE", codes.cid4009.AnkleJoint, _AP),
    _label("ankle_lateral", "Ankle lateral", "ANKLE", codes.cid4009.AnkleJoint, _LATERAL),
    _label("elbow_ap", "Elbow AP", "ELBOW", codes.cid4009.ElbowJoint, _AP),
    _label("elbow_lateral", "Elbow lateral", "ELBOW", codes.cid4009.ElbowJoint, _LATERAL),
    _label("foot_ap", "Foot AP", "FOOT", codes.cid4009.Foot, _AP),
    _label("foot_lateral", "Foot lateral", "FOOT", codes.cid4009.Foot, _LATERAL),
    _label("hand_ap", "Hand AP", "HAND", codes.cid4009.Hand, _AP),
    _label("hand_lateral", "Hand lateral", "HAND", codes.cid4009.Hand, _LATERAL),
    _label("knee_ap", "Knee AP", "KNEE", codes.cid4009.Knee, _AP),
    _label("knee_lateral", "Knee lateral", "KNEE", codes.cid4009.Knee, _LATERAL),
    _label("pelvis_ap", "Pelvis AP", "PELVIS", codes.cid4009.Pelvis, _AP),
    _label("shoulder_ap", "Shoulder AP", "SHOULDER", codes.cid4009.Shoulder, _AP),
    _label("shoulder_axillary", "Shoulder axillary", "SHOULDER", codes.cid4009.Shoulder, _AXILLARY),
)

KEYS: Final[tuple[str, ...]] = tuple(label.key for label in LABELS)

BY_KEY: Final[dict[str, Label]] = {label.key: label for label in LABELS}
