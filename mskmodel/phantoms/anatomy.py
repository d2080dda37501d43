"""The body the phantoms are made of: bones that move at their joints.

The bone meshes and joints are those of `myo-sim` (Apache-2.0), posed by `mujoco`. World axes: metres, z up, the
patient faces -y, the right side is at -x. Remeshed bones are kept in the user's cache folder.
"""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.remeshing import EMPTY, Mesh, Shell, close, remesh
from mskmodel.phantoms.requirements import WHAT_IS_NEEDED, RenderingUnavailable

__all__ = ["CARPUS", "FINGERS", "LONG_BONES", "THORAX", "Pose", "Skeleton", "skeleton"]

#: Increase it whenever remeshing changes, so that an old cache is not read.
_CACHE_LAYOUT = "2"

CARPUS = tuple(
    f"{name}_r"
    for name in ("lunate", "scaphoid", "pisiform", "triquetrum", "capitate", "trapezium", "trapezoid", "hamate")
)
FINGERS = (
    *(f"{n}mc_r" for n in range(1, 6)),
    "thumbprox_r",
    "thumbdist_r",
    *(f"{n}{part}ph_r" for n in range(2, 6) for part in ("prox", "mid", "dist")),
)
#: Bones with a shaft.
LONG_BONES = (
    *(f"{side}_{bone}" for side in "rl" for bone in ("femur", "tibia", "fibula")),
    *("humerus_r", "radius_r", "ulna_r", "clavicle_r"),
    *FINGERS,
)
_THORACIC = tuple(f"torso_geom_{13 - n}_thoracic{n}_s" for n in range(1, 13))
THORAX = ("torso_geom_13_ribcage_s", *_THORACIC)

#: Thickness of the cortex in mm at a bone's ends and in its shaft; (1.0, 1.0) for bones that are not listed.
_CORTEX = {
    "r_femur": (1.6, 6.5),
    "l_femur": (1.6, 6.5),
    "r_tibia": (1.5, 5.5),
    "r_fibula": (1.2, 3.0),
    "humerus_r": (1.4, 4.5),
    "humerus_l": (1.4, 4.5),
    "radius_r": (1.2, 3.2),
    "ulna_r": (1.2, 3.2),
    "r_foot": (0.9, 0.9),
    "r_bofoot": (0.8, 0.8),
    "r_pelvis": (1.5, 1.5),
    "l_pelvis": (1.5, 1.5),
    "clavicle_r": (1.2, 2.0),
    "clavicle_l": (1.2, 2.0),
}
_SMALL_BONE = (0.5, 1.6)


class Skeleton:
    """The compiled body model and its bones' meshes, each in its own frame."""

    def __init__(self) -> None:
        try:
            import manifold3d  # noqa: F401 - remeshing and splitting need it
            import mujoco
            from myo_sim.build import compose
        except ImportError as error:
            raise RenderingUnavailable(f"{WHAT_IS_NEEDED}: {error}") from error
        # myo-sim 0.2 attaches parts without a prefix, which mujoco prints and logs to a file in the current folder.
        mujoco.set_mju_user_warning(_ignored)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model: Any = compose.build_spec("myofullbody").compile()
        mujoco.set_mju_user_warning(None)
        self._geom = {
            self.model.mesh(self.model.geom_dataid[g]).name: g
            for g in range(self.model.ngeom)
            if self.model.geom_type[g] == mujoco.mjtGeom.mjGEOM_MESH
        }
        self.rest = self.pose({})

    def pose(self, degrees: dict[str, float]) -> Pose:
        """Every bone's place with these joint angles; joints that depend on them follow."""
        import mujoco

        data = mujoco.MjData(self.model)
        for name, angle in degrees.items():
            data.joint(name).qpos[0] = np.radians(angle)
        for row in np.flatnonzero(self.model.eq_type == mujoco.mjtEq.mjEQ_JOINT):
            follower, leader = int(self.model.eq_obj1id[row]), int(self.model.eq_obj2id[row])
            if leader >= 0:
                to, of = self.model.jnt_qposadr[follower], self.model.jnt_qposadr[leader]
                powers = (data.qpos[of] - self.model.qpos0[of]) ** np.arange(5)
                data.qpos[to] = self.model.qpos0[to] + self.model.eq_data[row, :5] @ powers
        mujoco.mj_forward(self.model, data)
        return Pose(self, data)

    @functools.lru_cache(maxsize=128)  # noqa: B019 - one skeleton a process
    def shell(self, bone: str) -> Shell:
        """The bone's surfaces in its own frame, from the cache folder if it has them."""
        path = _cache_folder() / f"{bone}.npz"
        if not path.exists():
            _write(path, self._remeshed(bone))
        with np.load(path) as stored:
            return Shell(*(Mesh(stored[f"v{k}"].astype(np.float64), stored[f"f{k}"]) for k in range(3)))

    def _remeshed(self, bone: str) -> Shell:
        mesh = self.model.geom_dataid[self._geom[bone]]
        first, count = self.model.mesh_vertadr[mesh], self.model.mesh_vertnum[mesh]
        face, faces = self.model.mesh_faceadr[mesh], self.model.mesh_facenum[mesh]
        source = Mesh(
            self.model.mesh_vert[first : first + count].astype(np.float64),
            self.model.mesh_face[face : face + faces].astype(np.int32),
        )
        if "ribcage" in bone:  # thin plates that a voxel grid would lose
            return Shell(close(source), EMPTY, EMPTY)
        return remesh(source, *(_SMALL_BONE if bone in FINGERS else _CORTEX.get(bone, (1.0, 1.0))))


@dataclass(frozen=True)
class Pose:
    """Where everything is with the joints at given angles."""

    skeleton: Skeleton
    data: Any

    def place(self, bone: str, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        """World coordinates of vertices (n, 3) in a bone's own frame."""
        geom = self.skeleton._geom[bone]
        moved: NDArray[np.float64] = vertices @ self.data.geom_xmat[geom].reshape(3, 3).T + self.data.geom_xpos[geom]
        return moved

    def joint(self, body: str) -> NDArray[np.float64]:
        """The origin of a body, (3,): where it is attached to its parent."""
        return np.array(self.data.body(body).xpos)

    def turn(self, body: str) -> NDArray[np.float64]:
        """The rotation, (3, 3), that brought a body from rest to here."""
        now = self.data.body(body).xmat.reshape(3, 3)
        rest = self.skeleton.rest.data.body(body).xmat.reshape(3, 3)
        turned: NDArray[np.float64] = now @ rest.T
        return turned

    def carry(self, body: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (n, 3) at rest, moved along with a body."""
        origin = self.skeleton.rest.joint(body)
        return (points - origin) @ self.turn(body).T + self.joint(body)


@functools.cache
def skeleton() -> Skeleton:
    """The one skeleton of this process; about two seconds the first time."""
    return Skeleton()


def _ignored(_text: str) -> None:
    """Drop a warning that nobody can act on."""


def _cache_folder() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "msk-labeller" / f"bones-{_CACHE_LAYOUT}"


def _write(path: Path, shell: Shell) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    for k, mesh in enumerate((shell.outer, shell.inner_thin, shell.inner_thick)):
        arrays |= {f"v{k}": mesh.vertices.astype(np.float32), f"f{k}": mesh.faces}
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        np.savez(part, **arrays)  # type: ignore[arg-type]
    Path(part.name).replace(path)  # whole or not there, also while another process writes it
