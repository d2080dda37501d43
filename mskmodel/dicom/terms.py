"""Terms of known tables. Any text of a file may be about the patient, so nothing else of a header is ever repeated.

The terms are those that the standard defines and, for views, what radiographs of the musculoskeletal system carry
besides. Case, spaces, hyphens and underscores do not count.
"""

from __future__ import annotations

import re
from typing import Final

from pydicom import config, uid

from mskmodel.dicom.codes import REGIONS, VIEWS

__all__ = ["OTHER", "body_part", "laterality", "modality", "uid_name", "view_position"]

#: What stands for a text that no table knows.
OTHER: Final = "other"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Body Part Examined (PS3.16 Annex L).
_BODY_PARTS: Final = _words(
    """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS CALF
    CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON CORNEA
    CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FIBULA FINGER FOOT
    FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER
    LSPINE LSSPINE LUNG MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY
    PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM RIB SACRUM SCALP SCAPULA SCLERA
    SCROTUM SHOULDER SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS THYROID TIBIA
    TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA UNKNOWN URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST
    ZYGOMA
    """
) | frozenset(REGIONS)

#: View Position (PS3.3 C.8.7.1.1.3, C.8.11.5.1.3), and common terms that the standard does not have.
_VIEWS: Final = _words(
    """
    AP PA LL RL RLD LLD RLO LLO RAO LAO RPO LPO ML MLO LM LMO CC FB SIO ISO XCCL XCCM
    AX AXIAL AXILLARY DP PD LAT LATERAL OBL OBLIQUE FROG SKYLINE SUNRISE MERCHANT TANGENTIAL TUNNEL MORTISE Y YVIEW
    OUTLET GRASHEY STRYKER INLET JUDET LAUENSTEIN ROSENBERG SCAPHOID
    """
) | frozenset(VIEWS)

_LATERALITIES: Final = frozenset("RLUB")

#: Modality (PS3.3 C.7.3.1.1.1), retired ones included.
_MODALITIES: Final = _words(
    """
    ANN AR ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DS DX EC ECG EEG EMG EOG EPS ES FA
    FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF OPV OSS
    OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM
    SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC
    """
)


def body_part(text: str) -> str:
    """The term of PS3.16 Annex L that a Body Part Examined is, `OTHER` for any other text, ``""`` for none."""
    return _term(text, _BODY_PARTS)


def view_position(text: str) -> str:
    """The known View Position, `OTHER` for any other text, ``""`` for none."""
    return _term(text, _VIEWS)


def laterality(text: str) -> str:
    """R, L, U or B, `OTHER` for any other text, ``""`` for none."""
    return _term(text, _LATERALITIES)


def modality(text: str) -> str:
    """The term of PS3.3 that a Modality is, `OTHER` for any other text, ``""`` for none."""
    return _term(text, _MODALITIES)


def uid_name(text: str) -> str:
    """The name of a UID that the standard has, in words for a reason. Digits, too, may be about the patient."""
    name = str(uid.UID(text, validation_mode=config.IGNORE).name)
    return name if name != text else "one that the DICOM standard does not name"


def _term(text: str, known: frozenset[str]) -> str:
    term = re.sub(r"[\s_-]", "", text).upper()
    return term if term in known or not term else OTHER
