"""The table of views: what is in the beam, how the patient lies, and how the film is framed.

13 views are the classes; the others are neighbours, which a classifier must not take for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mskmodel.labels import BY_KEY, SEVERAL_VIEWS
from mskmodel.phantoms.anatomy import CARPUS, FINGERS, THORAX

__all__ = ["CLASSES", "NAMES", "NEIGHBOURS", "TURN", "VIEWS", "Framing", "View"]

Range = tuple[float, float]
Direction = tuple[float, float, float]

BACKWARD: Direction = (0.0, 1.0, 0.0)  # from front to back: AP
ACROSS: Direction = (1.0, 0.0, 0.0)  # from side to side: lateral
UP: Direction = (0.0, 0.0, 1.0)
DOWN: Direction = (0.0, 0.0, -1.0)
ANTERIOR: Direction = (0.0, -1.0, 0.0)

LEG = ("r_femur", "r_tibia", "r_fibula", "r_patella", "r_talus", "r_foot", "r_bofoot")
LEGS = (*LEG, *(bone.replace("r_", "l_") for bone in LEG))
FOREARM = ("humerus_r", "ulna_r", "radius_r", *CARPUS)
ARM = (*FOREARM, *FINGERS)
GIRDLE = ("humerus_r", "scapula_r", "clavicle_r", *THORAX)
LUMBAR = tuple(f"lumbar{n}_geom_1_lumbar{n}" for n in range(1, 6))
PELVIS = ("r_pelvis", "l_pelvis", "sacrum_geom_1_sacrum", "r_femur", "l_femur", *LUMBAR)
TRUNK = ("r_pelvis", "l_pelvis", "sacrum_geom_1_sacrum", *LUMBAR, *THORAX)
CHEST = (*THORAX, *LUMBAR[:2], "clavicle_r", "clavicle_l", "scapula_r", "scapula_l", "humerus_r", "humerus_l")

HEAD = ("hat_skull", "hat_jaw", "hat_cervical", *THORAX, "clavicle_r", "clavicle_l")


@dataclass(frozen=True)
class Framing:
    """How much of the patient is on the film.

    height: of the field of view in metres; aspect: width over height; along: where the landmark lies, as a fraction
    of the height above (+) or below (-) the middle; turns: degrees by which the limb may lie on the film.
    """

    weight: float
    height: Range
    aspect: Range = (0.6, 1.0)
    along: Range = (-0.1, 0.1)
    turns: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class View:
    """One projection. Angles in degrees; cover: thickness of the tissue over hand and foot bones in metres."""

    bones: tuple[str, ...]
    tissue: tuple[str, ...]
    beam: Direction
    up: Direction
    landmark: dict[str, float]
    framings: tuple[Framing, ...]
    joints: dict[str, Range] = field(default_factory=dict)
    swing: Range = (-7.0, 7.0)  # of the beam about the image's vertical
    tilt: Range = (-6.0, 6.0)  # of the beam towards the image's top
    roll: Range = (-8.0, 8.0)
    cover: float = 0.0
    fat_mm: Range = (3.0, 10.0)
    implants: tuple[str, ...] = ()
    lungs: bool = False
    whitest: Range = (97.5, 99.9)  # percentiles of the patient between which the film turns white
    frame: str = ""  # the body with which beam and up turn; the world where empty
    both: bool = False  # left and right are on the film
    weight: float = 1.0  # how often, beside the other views of its name
    position: str = ""  # View Position, where it is not the one of its name
    part: str = ""  # Body Part Examined, likewise
    beside: tuple[View, ...] = ()  # exposed on the same plate, one after the other


KNEE, ANKLE, ELBOW, SHOULDER = {"tibia_r": 1.0}, {"talus_r": 1.0}, {"ulna_r": 1.0}, {"humerus_r": 1.0}
FOOT = {"calcn_r": 0.45, "toes_r": 0.55}
HAND = {"thirdmc_r": 0.4, "3proxph_r": 0.6}
WRIST = {"lunate_r": 0.7, "thirdmc_r": 0.3}

_CASSETTE = (0.36, 0.46)
_ANY_WAY = (0.0, 0.0, 0.0, 0.0, 180.0, 180.0, 90.0, -90.0)
_FLEXED_TURNS = (0.0, 0.0, 30.0, -30.0, 60.0, 90.0, -90.0, 180.0)

_KNEE_METAL = ("knee_prosthesis", "knee_prosthesis", "plate", "nail", "cast")
_JOINT = Framing(0.55, (0.15, 0.27), (0.45, 1.0), (-0.12, 0.12))
_LONG = Framing(0.45, _CASSETTE, (0.4, 0.85), (-0.18, 0.18))
_HAND_WHITE = (88.0, 99.7)
_HAND = (
    Framing(0.65, (0.19, 0.29), (0.5, 0.95), (-0.06, 0.08), (0.0, 0.0, 0.0, 0.0, 180.0, 90.0, -90.0)),
    Framing(0.35, (0.30, 0.44), (0.5, 0.9), (-0.05, 0.3), (0.0, 180.0, 180.0, 180.0)),
)
_SPREAD = {f"mcp{n}_abduction_r": (-15.0, 15.0) for n in (2, 5)} | {"mcp4_abduction_r": (-5.0, 5.0)}
_CURL = {f"{joint}_flexion_r": (0.0, 14.0) for n in range(2, 6) for joint in (f"mcp{n}", f"pm{n}")} | {
    "md2_flexion_r": (0.0, 8.0)
}
_CURL["pm4_flexion"] = _CURL.pop("pm4_flexion_r")
_THUMB = {"cmc_flexion": (-25.0, 15.0), "cmc_abduction": (-25.0, 35.0), "mp_flexion_r": (-20.0, 20.0)}
#: Each finger bent a little more than the one before, so that an oblique view shows them side by side.
_STAIRS = {f"mcp{n}_flexion_r": (4.0 * n - 8.0, 9.0 * n - 6.0) for n in range(2, 6)}
_FOREARM_ROLL = {"pro_sup_r": (-90.0, 90.0), "elbow_flexion_r": (0.0, 40.0)}
_FAN_HAND = {
    "pro_sup_r": (-12.0, 12.0),
    "flexion_r": (-20.0, 15.0),
    **{f"mcp{n}_flexion_r": (0.0, 60.0) for n in range(2, 6)},
    **dict.fromkeys(("pm2_flexion_r", "pm3_flexion_r", "pm4_flexion", "pm5_flexion_r"), (0.0, 40.0)),
    **_THUMB,
}
_STRAIGHT_HAND = {"pro_sup_r": (-12.0, 12.0), "flexion_r": (-15.0, 15.0), **_CURL, **_THUMB}

CLASSES: dict[str, tuple[View, ...]] = {
    "ankle_ap": (
        View(
            LEG, ("leg",), BACKWARD, UP, ANKLE,
            (
                Framing(0.6, (0.11, 0.24), (0.5, 1.0), (-0.22, 0.05)),
                Framing(0.4, _CASSETTE, (0.4, 0.85), (-0.3, -0.1)),
            ),
            {"ankle_angle_r": (-15.0, 12.0), "subtalar_angle_r": (-8.0, 8.0)},
            swing=(-8.0, 22.0), cover=0.011, implants=("ankle_plate", "cast", "nail"), weight=6.0,
        ),
        View(
            LEGS, ("leg", "other_leg"), BACKWARD, UP, {"talus_r": 0.5, "talus_l": 0.5},
            (
                Framing(0.5, (0.17, 0.25), (1.7, 2.1), (-0.25, 0.0)),
                Framing(0.5, (0.25, 0.36), (1.2, 1.6), (-0.25, 0.0)),
            ),
            {f"{joint}_{side}": limits for side in "rl" for joint, limits in
             (("ankle_angle", (-12.0, 12.0)), ("subtalar_angle", (-8.0, 8.0)))},
            cover=0.011, implants=("ankle_plate",), both=True,
        ),
    ),
    "ankle_lateral": (
        View(
            LEG, ("leg",), ACROSS, UP, {"talus_r": 0.8, "toes_r": 0.2},
            (
                Framing(0.55, (0.14, 0.25), (0.6, 1.1), (-0.25, 0.0), (0.0, 0.0, 0.0, 25.0, -25.0, 90.0)),
                Framing(0.45, _CASSETTE, (0.6, 0.9), (-0.32, -0.1), (0.0, 0.0, 0.0, 15.0, -35.0)),
            ),
            {"ankle_angle_r": (-30.0, 12.0)}, cover=0.011, implants=("ankle_plate", "cast", "nail"),
        ),
    ),
    "elbow_ap": (
        View(
            ARM, ("arm",), BACKWARD, UP, ELBOW,
            (
                Framing(0.6, (0.13, 0.26), (0.45, 1.0), (-0.12, 0.12), _ANY_WAY),
                Framing(0.4, (0.28, 0.44), (0.35, 0.8), (-0.15, 0.15), _ANY_WAY),
            ),
            {"pro_sup_r": (-115.0, -40.0), "elbow_flexion_r": (0.0, 26.0)},
            swing=(-16.0, 16.0), cover=0.01, implants=("elbow_plate", "cast"),
        ),
    ),
    "elbow_lateral": tuple(
        View(
            ARM, ("arm",), ACROSS, UP, landmark, framings,
            {"pro_sup_r": (-70.0, 45.0), "elbow_flexion_r": flexion},
            roll=(-20.0, 20.0), cover=0.01, implants=("elbow_plate", "cast"),
        )
        for landmark, flexion, framings in (
            (
                ELBOW, (45.0, 118.0),
                (
                    Framing(0.6, (0.14, 0.26), (0.7, 1.3), (-0.15, 0.15), _FLEXED_TURNS),
                    Framing(0.4, (0.28, 0.44), (0.6, 1.3), (-0.15, 0.15), _FLEXED_TURNS),
                ),
            ),
            # The joint in a corner of the film, upper arm and forearm along two of its edges.
            (
                {"ulna_r": 0.79, "humerus_r": 0.09, "lunate_r": 0.12}, (72.0, 108.0),
                (Framing(1.0, (0.15, 0.24), (0.8, 1.25), (-0.06, 0.06), (0.0, 0.0, 0.0, 90.0, -90.0, 180.0)),),
            ),
        )
    ),
    "foot_ap": (
        View(
            LEG[1:], ("leg",), DOWN, ANTERIOR, FOOT,
            (
                Framing(0.4, (0.23, 0.34), (0.4, 0.85), (-0.04, 0.06), (0.0, 0.0, 0.0, 0.0, 180.0, 90.0)),
                # From the toes to the tarsus; the heel is off the film.
                Framing(0.6, (0.18, 0.27), (0.4, 0.85), (-0.38, -0.15), (0.0, 0.0, 0.0, 0.0, 180.0, 90.0)),
            ),
            {"ankle_angle_r": (-45.0, -15.0)},
            whitest=(90.0, 99.7), tilt=(-24.0, -8.0), frame="calcn_r",
            cover=0.010, fat_mm=(1.5, 4.0), implants=("wires", "cast"),
        ),
    ),
    "foot_lateral": (
        View(
            LEG, ("leg",), ACROSS, UP, {"calcn_r": 0.5, "toes_r": 0.5},
            (Framing(1.0, (0.14, 0.24), (1.25, 2.0), (-0.2, 0.05), (0.0, 0.0, 0.0, 0.0, 20.0, -25.0, 90.0)),),
            {"ankle_angle_r": (-35.0, 12.0)}, cover=0.010, fat_mm=(1.5, 4.0), implants=("wires", "cast"),
        ),
    ),
    "hand_ap": (
        View(
            ARM, ("arm",), ACROSS, DOWN, HAND, _HAND,
            {"pro_sup_r": (-25.0, 12.0), "deviation_r": (-8.0, 20.0), **_SPREAD, **_CURL, **_THUMB},
            cover=0.0068, fat_mm=(1.0, 2.5), implants=("wires", "cast"), whitest=_HAND_WHITE,
        ),
    ),
    "hand_lateral": tuple(
        View(
            ARM, ("arm",), BACKWARD, DOWN, HAND, _HAND, fingers,
            cover=0.0068, fat_mm=(1.0, 2.5), implants=("wires", "cast"), whitest=_HAND_WHITE,
        )
        for fingers in (_FAN_HAND, _STRAIGHT_HAND)
    ),
    "knee_ap": (
        View(
            LEG, ("leg",), BACKWARD, UP, KNEE, (_JOINT, _LONG),
            {"knee_angle_r": (0.0, 10.0)}, swing=(-12.0, 12.0), implants=_KNEE_METAL, weight=3.0,
        ),
        View(
            LEGS, ("leg", "other_leg"), BACKWARD, UP, KNEE,
            (Framing(1.0, (0.28, 0.46), (0.5, 0.9), (-0.18, 0.18)),),
            {"knee_angle_r": (0.0, 10.0)}, implants=_KNEE_METAL[:3],
        ),
        View(
            LEGS, ("leg", "other_leg"), BACKWARD, UP, {"tibia_r": 0.5, "tibia_l": 0.5},
            (Framing(0.5, (0.2, 0.28), (1.5, 1.9)), Framing(0.5, (0.28, 0.42), (1.1, 1.5), (-0.15, 0.15))),
            {"knee_angle_r": (0.0, 10.0), "knee_angle_l": (0.0, 10.0)}, implants=("knee_prosthesis",), both=True,
        ),
    ),
    "knee_lateral": (
        View(
            LEG, ("leg",), ACROSS, UP, KNEE,
            (
                Framing(0.55, (0.16, 0.27), (0.6, 1.2), (-0.12, 0.12), (0.0, 0.0, 20.0, -20.0, 90.0)),
                Framing(0.45, _CASSETTE, (0.6, 1.25), (-0.15, 0.15), _FLEXED_TURNS),
            ),
            {"knee_angle_r": (3.0, 100.0)}, roll=(-20.0, 20.0), implants=_KNEE_METAL,
        ),
    ),
    "pelvis_ap": (
        View(
            PELVIS, ("trunk", "leg", "other_leg"), BACKWARD, UP, {"femur_r": 0.5, "femur_l": 0.5},
            (
                Framing(0.65, (0.26, 0.36), (1.0, 1.4), (-0.2, 0.0)),
                Framing(0.35, (0.38, 0.5), (0.7, 0.95), (-0.15, 0.2)),
            ),
            {"hip_rotation_r": (-18.0, 18.0), "hip_adduction_r": (-10.0, 4.0), "hip_rotation_l": (-18.0, 18.0),
             "hip_adduction_l": (-10.0, 4.0)},
            roll=(-4.0, 4.0), fat_mm=(8.0, 22.0), implants=("hip_prosthesis", "hip_screw"),
        ),
    ),
    "shoulder_ap": (
        View(
            GIRDLE, ("arm", "shoulder", "trunk"), BACKWARD, UP, {"humerus_r": 0.8, "clavicle_r": 0.2},
            (
                Framing(0.8, (0.17, 0.30), (0.65, 1.35), (-0.05, 0.28)),
                Framing(0.2, (0.30, 0.4), (0.5, 1.0), (0.1, 0.3)),
            ),
            {"shoulder_elv_r": (0.0, 28.0), "shoulder_rot_r": (-40.0, 45.0)},
            swing=(-8.0, 40.0), tilt=(-12.0, 8.0), fat_mm=(4.0, 12.0), lungs=True,
            implants=("shoulder_prosthesis", "plate_humerus"),
        ),
    ),
    "shoulder_axillary": (
        View(
            ("humerus_r", "scapula_r", "clavicle_r"), ("arm", "shoulder"), UP, ANTERIOR, SHOULDER,
            (Framing(1.0, (0.14, 0.26), (0.8, 1.5), (-0.1, 0.15), (0.0, 0.0, 90.0, -90.0, 180.0)),),
            {"shoulder_elv_r": (55.0, 105.0), "shoulder_rot_r": (-30.0, 30.0)},
            swing=(-25.0, 15.0), tilt=(-10.0, 10.0), roll=(-20.0, 20.0), fat_mm=(4.0, 10.0),
            implants=("shoulder_prosthesis",),
        ),
        View(
            GIRDLE, ("arm", "shoulder", "trunk"), UP, ANTERIOR, SHOULDER,
            (Framing(1.0, (0.15, 0.26), (0.9, 1.5), (-0.1, 0.15), (0.0, 0.0, 90.0, -90.0)),),
            {"shoulder_elv_r": (60.0, 105.0), "shoulder_rot_r": (-30.0, 30.0)},
            swing=(-30.0, -5.0), roll=(-15.0, 15.0), fat_mm=(4.0, 10.0), lungs=True,
        ),
    ),
}  # fmt: skip

#: Directions of the beam, and the View Position that each makes; for the hand, of an arm that hangs, palm to the body.
_BOTH_WAYS = {BACKWARD: "AP", ACROSS: "LATERAL"}
_BOTH_WAYS_OF_HAND = {BACKWARD: "LATERAL", ACROSS: "PA"}
#: Far enough from AP and from lateral that nobody would take it for one of them.
_OBLIQUE = ((33.0, 55.0), (-55.0, -33.0))

_OTHER_VIEWS: dict[str, tuple[View, ...]] = {
    "wrist": tuple(
        View(
            ARM, ("arm",), beam, DOWN, WRIST,
            (Framing(1.0, (0.10, 0.19), (0.5, 0.9), (-0.02, 0.22), (0.0, 0.0, 180.0, 90.0)),),
            {"pro_sup_r": (-12.0, 12.0), **_CURL, **_THUMB},
            cover=0.0068, fat_mm=(1.0, 3.0), implants=("wires", "cast"), position=position,
        )
        for beam, position in _BOTH_WAYS_OF_HAND.items()
    ),
    "forearm": tuple(
        View(
            ARM, ("arm",), beam, UP, {"ulna_r": 0.5, "lunate_r": 0.5},
            (
                Framing(0.6, (0.30, 0.44), (0.35, 0.9), (-0.06, 0.06), _ANY_WAY),
                # The hand on the film too, the elbow at its edge or off it.
                Framing(0.4, (0.28, 0.42), (0.4, 1.2), (0.06, 0.2), _ANY_WAY),
            ),
            _FOREARM_ROLL, cover=0.0068, implants=("cast", "plate_forearm"), position=position,
        )
        for beam, position in _BOTH_WAYS.items()
    ),
    "humerus": tuple(
        View(
            GIRDLE[:3] + FOREARM[1:3], tissue, beam, UP, {"humerus_r": 0.5, "ulna_r": 0.5},
            (Framing(1.0, (0.32, 0.44), (0.4, 0.9), (-0.06, 0.06), (0.0, 0.0, 180.0, 90.0)),),
            {"shoulder_elv_r": (0.0, 30.0), "elbow_flexion_r": (0.0, 90.0)}, implants=("plate_humerus", "nail_humerus"),
            position=_BOTH_WAYS[beam],
        )
        for beam, tissue in ((BACKWARD, ("arm", "shoulder", "trunk")), (ACROSS, ("arm",)))
    ),
    "hip": tuple(
        View(
            PELVIS, ("trunk", "leg", "other_leg"), BACKWARD, UP, {"femur_r": share, "femur_l": 1 - share},
            (Framing(1.0, height, aspect, (-0.05, 0.3)),),
            {"hip_rotation_r": (-25.0, 25.0), "hip_adduction_r": adduction, "hip_flexion_r": flexion},
            fat_mm=(8.0, 20.0), implants=("hip_prosthesis", "hip_screw"),
        )
        for share, height, aspect, adduction, flexion in (
            (1.0, (0.15, 0.28), (0.7, 1.3), (-25.0, 4.0), (0.0, 10.0)),
            (1.0, (0.32, 0.44), (0.5, 0.8), (-25.0, 4.0), (0.0, 10.0)),
            (1.0, (0.16, 0.28), (0.7, 1.4), (-55.0, -30.0), (25.0, 45.0)),
            # Most of the pelvis with it, the thigh to the side.
            (0.8, (0.30, 0.44), (0.6, 1.0), (-45.0, -20.0), (0.0, 35.0)),
        )
    ),
    "pelvis_frog": (
        View(
            PELVIS, ("trunk", "leg", "other_leg"), BACKWARD, UP, {"femur_r": 0.5, "femur_l": 0.5},
            (Framing(1.0, (0.24, 0.36), (1.1, 1.6), (-0.15, 0.05)),),
            {f"hip_{motion}_{side}": limits for side in "rl" for motion, limits in
             (("flexion", (25.0, 45.0)), ("adduction", (-55.0, -35.0)), ("rotation", (-40.0, -15.0)))},
            roll=(-4.0, 4.0), fat_mm=(8.0, 22.0),
        ),
    ),
    "femur": tuple(
        View(
            bones, tissue, beam, UP, {"femur_r": share, "tibia_r": 1 - share},
            (Framing(1.0, (0.36, 0.5), (0.4, 0.85), (-0.1, 0.1), turns),),
            {"knee_angle_r": (0.0, 35.0)}, implants=("nail_femur", "plate_femur", "hip_screw"),
            position=_BOTH_WAYS[beam],
        )
        for share in (0.35, 0.5, 0.65)
        for bones, tissue, beam, turns in (
            ((*PELVIS[:5], *LEG[1:4]), ("trunk", "leg", "other_leg"), BACKWARD, (0.0,)),
            (LEG, ("leg",), ACROSS, (0.0, 0.0, 90.0, 180.0)),
        )
    ),
    "lower_leg": tuple(
        View(
            LEG, ("leg",), beam, UP, landmark,
            (Framing(1.0, height, (0.35, 0.85), along, (0.0, 0.0, 0.0, 180.0, 90.0)),),
            {"knee_angle_r": (0.0, 30.0)}, cover=0.01, implants=("nail", "plate", "cast", "fixator"),
            position=position,
        )
        for beam, position in _BOTH_WAYS.items()
        for landmark, height, along in (
            ({"tibia_r": 0.5, "talus_r": 0.5}, (0.36, 0.52), (-0.09, 0.09)),
            # One of its ends, the joint at the edge of the film.
            (KNEE, (0.28, 0.44), (0.33, 0.45)),
            (ANKLE, (0.28, 0.44), (-0.46, -0.38)),
        )
    ),
    "legs": (
        View(
            (*LEGS, *PELVIS[:3]), ("trunk", "leg", "other_leg"), BACKWARD, UP, {"tibia_r": 0.5, "tibia_l": 0.5},
            (Framing(1.0, (0.6, 1.0), (0.35, 0.7), (-0.15, 0.15)),), implants=("knee_prosthesis",), both=True,
        ),
        View(
            (*LEG, *PELVIS[:3]), ("trunk", "leg"), BACKWARD, UP, KNEE,
            (Framing(1.0, (0.6, 0.95), (0.22, 0.5), (-0.12, 0.12)),), implants=("nail", "nail_femur"),
        ),
    ),
    "knee_oblique": tuple(replace(CLASSES["knee_ap"][0], swing=swing) for swing in _OBLIQUE),
    "patella": (
        View(
            LEG[:4], ("leg",), UP, ANTERIOR, KNEE,
            (Framing(1.0, (0.1, 0.17), (1.0, 1.6), (-0.25, -0.05), (0.0, 0.0, 0.0, 180.0)),),
            {"knee_angle_r": (80.0, 115.0)}, tilt=(-10.0, 10.0), implants=("knee_prosthesis",),
        ),
    ),
    "ankle_oblique": tuple(replace(CLASSES["ankle_ap"][0], swing=swing) for swing in ((38.0, 58.0), (-55.0, -33.0))),
    "foot_oblique": tuple(replace(CLASSES["foot_ap"][0], swing=swing) for swing in ((20.0, 48.0), (-48.0, -20.0))),
    "calcaneus": (
        View(
            LEG[1:], ("leg",), (0.0, 0.766, 0.643), (0.0, -0.643, 0.766), {"calcn_r": 1.0},
            (Framing(1.0, (0.1, 0.18), (0.6, 1.1), (-0.15, 0.15), (0.0, 0.0, 180.0)),),
            {"ankle_angle_r": (-5.0, 15.0)}, cover=0.011,
        ),
    ),
    "toes": tuple(
        replace(
            CLASSES["foot_ap"][0], swing=swing, position="OBL" if swing in _OBLIQUE else "AP", landmark={"toes_r": 1.0},
            framings=(Framing(1.0, (0.08, 0.13), (0.6, 1.2), (-0.3, 0.0), (0.0, 0.0, 180.0, 90.0)),),
        )
        for swing in ((-7.0, 7.0), *_OBLIQUE)
    ),
    "hand_oblique": tuple(
        View(
            ARM, ("arm",), ACROSS, DOWN, HAND, _HAND,
            {"pro_sup_r": (-12.0, 12.0), **_SPREAD, **_CURL, **_STAIRS, **_THUMB}, swing=swing,
            cover=0.0068, fat_mm=(1.0, 2.5), implants=("wires", "cast"), whitest=_HAND_WHITE,
        )
        for swing in ((28.0, 50.0), (-50.0, -28.0))
    ),
    "finger": tuple(
        View(
            ARM[-19:], ("arm",), beam, DOWN, {f"midph{n}_r": 1.0},
            (Framing(1.0, (0.07, 0.13), (0.35, 0.7), (-0.15, 0.15), (0.0, 0.0, 0.0, 180.0, 90.0)),),
            _FAN_HAND if beam is BACKWARD else {**_STRAIGHT_HAND, **_SPREAD},
            cover=0.0068, fat_mm=(1.0, 2.5), implants=("wires",), whitest=_HAND_WHITE, position=position,
        )
        for beam, position in _BOTH_WAYS_OF_HAND.items()
        for n in range(2, 6)
    ),
    "thumb": tuple(
        View(
            ARM, ("arm",), beam, DOWN, {"proximal_thumb_r": 1.0},
            (Framing(1.0, (0.07, 0.13), (0.5, 0.9), (-0.15, 0.15), (0.0, 25.0, -25.0, 180.0, 90.0)),),
            {**_STRAIGHT_HAND, "cmc_abduction": (10.0, 35.0)}, cover=0.0068, fat_mm=(1.0, 2.5), implants=("wires",),
            whitest=_HAND_WHITE,
        )
        for beam in _BOTH_WAYS  # neither is the thumb's own AP or lateral: it lies across the palm
    ),
    "elbow_oblique": tuple(replace(CLASSES["elbow_ap"][0], swing=swing) for swing in ((28.0, 56.0), (-56.0, -28.0))),
    # The blade edge on, between the arm and the ribs.
    "scapula_y": (
        replace(
            CLASSES["shoulder_ap"][0], swing=(-62.0, -32.0), landmark=SHOULDER,
            framings=(Framing(1.0, (0.19, 0.34), (0.55, 1.0), (-0.02, 0.25)),),
        ),
    ),
    "neck": tuple(
        View(
            HEAD, ("head", "trunk", "shoulder"), beam, UP, {"head": 0.6, "clavicle_r": 0.2, "clavicle_l": 0.2},
            (Framing(1.0, (0.15, 0.28), (0.6, 1.0), (-0.05, 0.15)),), lungs=True, position=position,
        )
        for beam, position in _BOTH_WAYS.items()
    ),
    "skull": tuple(
        View(
            HEAD[:3], ("head", "trunk"), beam, UP, {"head": 1.0},
            (Framing(1.0, (0.2, 0.3), (0.75, 1.2), (-0.32, -0.1)),), position=position,
        )
        for beam, position in _BOTH_WAYS.items()
    ),
    "spine": tuple(
        View(
            TRUNK, ("trunk",), beam, UP, landmark, (Framing(1.0, (0.26, 0.44), aspect, (-0.1, 0.1)),),
            fat_mm=(8.0, 22.0), lungs=True, position=_BOTH_WAYS[beam],
        )
        for beam, aspect in ((BACKWARD, (0.45, 0.9)), (ACROSS, (0.45, 0.8)))
        for landmark in ({"lumbar3": 1.0}, {"lumbar1": 1.0}, {"lumbar1": 0.4, "clavicle_r": 0.3, "clavicle_l": 0.3})
    ),
    "chest": (
        View(
            CHEST, ("trunk", "shoulder"), BACKWARD, UP, {"clavicle_r": 0.32, "clavicle_l": 0.32, "lumbar1": 0.36},
            (Framing(1.0, (0.34, 0.44), (0.8, 1.15), (-0.1, 0.05)),), fat_mm=(6.0, 18.0), lungs=True,
        ),
        View(
            CHEST, ("trunk", "shoulder"), BACKWARD, UP, {"scapula_r": 0.4, "lumbar1": 0.6},
            (Framing(1.0, (0.2, 0.34), (0.6, 1.0), (-0.2, 0.2)),),
            swing=(-35.0, 35.0), fat_mm=(6.0, 18.0), lungs=True,
        ),
    ),
    "clavicle": (
        View(
            GIRDLE, ("arm", "shoulder", "trunk"), BACKWARD, UP, {"clavicle_r": 0.5, "scapula_r": 0.5},
            (Framing(1.0, (0.11, 0.17), (1.3, 1.9), (-0.1, 0.1)),), tilt=(5.0, 25.0), lungs=True,
        ),
    ),
    # From the front, the foot stretched: an ankle view by the leg, a foot view by the toes, and neither of the two.
    "ankle_foot": (
        View(
            LEG, ("leg",), BACKWARD, UP, {"talus_r": 0.6, "toes_r": 0.4},
            (
                Framing(0.5, (0.26, 0.44), (0.4, 0.85), (-0.3, 0.0), (0.0, 0.0, 0.0, 180.0)),
                Framing(0.5, (0.22, 0.32), (0.5, 0.9), (-0.15, 0.05), (0.0, 0.0, 0.0, 180.0)),
            ),
            {"ankle_angle_r": (-70.0, -40.0), "subtalar_angle_r": (-10.0, 10.0)},
            swing=(-10.0, 25.0), tilt=(-14.0, 6.0), whitest=(90.0, 99.7), cover=0.010, fat_mm=(1.5, 4.0),
            implants=("ankle_plate", "cast", "nail", "wires"),
        ),
    ),
}  # fmt: skip

_SINGLE = CLASSES | _OTHER_VIEWS
#: How a part of a plate is collimated to one view; heights are those that a hospital's cassettes allow.
_PARTS = {
    "ankle_ap": Framing(1.0, (0.17, 0.23), (0.42, 0.62), (-0.22, 0.0)),
    "ankle_oblique": Framing(1.0, (0.17, 0.23), (0.42, 0.62), (-0.22, 0.0)),
    "ankle_lateral": Framing(1.0, (0.16, 0.22), (0.6, 0.85), (-0.25, -0.05)),
    "elbow_ap": Framing(1.0, (0.17, 0.24), (0.4, 0.62), (-0.1, 0.1)),
    "elbow_oblique": Framing(1.0, (0.17, 0.24), (0.4, 0.62), (-0.1, 0.1)),
    "elbow_lateral": Framing(1.0, (0.15, 0.22), (0.75, 1.1), (-0.12, 0.12)),
    "foot_ap": Framing(1.0, (0.25, 0.3), (0.38, 0.5), (-0.04, 0.06)),
    "foot_oblique": Framing(1.0, (0.25, 0.3), (0.38, 0.5), (-0.04, 0.06)),
    "foot_lateral": Framing(1.0, (0.13, 0.19), (1.4, 1.9), (-0.2, 0.05)),
    "hand_ap": Framing(1.0, (0.2, 0.25), (0.5, 0.7), (-0.06, 0.08)),
    "hand_oblique": Framing(1.0, (0.2, 0.25), (0.5, 0.7), (-0.06, 0.08)),
    "hand_lateral": Framing(1.0, (0.2, 0.25), (0.4, 0.6), (-0.06, 0.08)),
    "knee_ap": Framing(1.0, (0.2, 0.3), (0.42, 0.65), (-0.12, 0.12)),
    "knee_oblique": Framing(1.0, (0.2, 0.3), (0.42, 0.65), (-0.12, 0.12)),
    "knee_lateral": Framing(1.0, (0.2, 0.3), (0.5, 0.75), (-0.12, 0.12)),
    "wrist": Framing(1.0, (0.13, 0.2), (0.42, 0.62), (-0.02, 0.2)),
    "shoulder_ap": Framing(1.0, (0.18, 0.26), (0.8, 1.1), (-0.05, 0.2)),
    "shoulder_axillary": Framing(1.0, (0.15, 0.22), (0.9, 1.3), (-0.1, 0.15)),
    "scapula_y": Framing(1.0, (0.2, 0.28), (0.6, 0.85), (-0.02, 0.2)),
}
#: What is exposed on one plate, and how often: each joint once in all, wrist and shoulder seldom.
_PLATES = (
    (0.6, "ankle_ap", "ankle_lateral"), (0.15, "ankle_ap", "ankle_oblique"),
    (0.25, "ankle_ap", "ankle_oblique", "ankle_lateral"),
    (0.75, "elbow_ap", "elbow_lateral"), (0.1, "elbow_ap", "elbow_oblique"),
    (0.15, "elbow_ap", "elbow_oblique", "elbow_lateral"),
    (0.45, "foot_ap", "foot_oblique"), (0.3, "foot_ap", "foot_lateral"),
    (0.25, "foot_ap", "foot_oblique", "foot_lateral"),
    (0.4, "hand_ap", "hand_oblique"), (0.3, "hand_ap", "hand_lateral"),
    (0.3, "hand_ap", "hand_oblique", "hand_lateral"),
    (0.85, "knee_ap", "knee_lateral"), (0.15, "knee_ap", "knee_oblique", "knee_lateral"),
    (0.3, "wrist", "wrist"), (0.15, "shoulder_ap", "scapula_y"), (0.1, "shoulder_ap", "shoulder_axillary"),
)  # fmt: skip


def _plate(weight: float, *names: str) -> View:
    """Views of one joint on one plate; the same name again is the next view of that name."""
    first, *others = (
        replace(_SINGLE[name][names[:place].count(name)], framings=(_PARTS[name],)) for place, name in enumerate(names)
    )
    return replace(first, weight=weight, beside=tuple(others), position="", part=BY_KEY[names[0]].body_part)


NEIGHBOURS = _OTHER_VIEWS | {SEVERAL_VIEWS: tuple(_plate(*one) for one in _PLATES)}
VIEWS = CLASSES | NEIGHBOURS
NAMES = tuple(VIEWS)
#: One turn through all views: the classes twice, so that neighbours do not outnumber them.
TURN = (*CLASSES, *tuple(NEIGHBOURS)[::2], *CLASSES, *tuple(NEIGHBOURS)[1::2])
