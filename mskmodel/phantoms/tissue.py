"""Skin, muscle, lungs and gas: smooth bodies made of ellipsoids that move with the bones.

A field over a small grid is negative inside. The ellipsoids are joined by a soft minimum, so that a calf runs into a
knee.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.anatomy import Pose
from mskmodel.phantoms.remeshing import EMPTY, Mesh

__all__ = ["Ball", "Grid", "balls_of", "field", "gas", "lungs", "surface"]

Array = NDArray[np.float64]

#: How softly balls join, in metres.
_BLEND = 0.012


@dataclass(frozen=True)
class Ball:
    """An ellipsoid that moves with a body. centre and radii in metres, world axes, the body at rest."""

    body: str
    centre: Array
    radii: Array


@dataclass(frozen=True)
class Grid:
    """Voxel centres at origin + index * pitch (metres)."""

    origin: Array
    pitch: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, low: Array, high: Array, voxels_along: int) -> Grid:
        pitch = float((high - low).max()) / voxels_along
        x, y, z = (int(n) for n in np.ceil((high - low) / pitch) + 1)
        return cls(low, pitch, (x, y, z))

    def points(self) -> NDArray[np.float32]:
        axes = (self.origin[k] + self.pitch * np.arange(self.shape[k]) for k in range(3))
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float32)


def balls_of(part: str, pose: Pose) -> list[Ball]:
    """The soft tissue of `leg`, `other_leg`, `arm`, `shoulder`, `trunk`, `head`; hands and feet are `field`'s cover."""
    at = pose.skeleton.rest.joint
    if part in ("leg", "other_leg"):
        side, inward = ("r", 1.0) if part == "leg" else ("l", -1.0)
        femur, tibia, talus = at(f"femur_{side}"), at(f"tibia_{side}"), at(f"talus_{side}")
        thigh = (0.092, 0.090, 0.084, 0.076, 0.066, 0.059, 0.055)
        calf = (0.053, 0.053, 0.055, 0.052, 0.044, 0.037, 0.034, 0.036)
        behind = (0.02, 0.018, 0.014, 0.01, 0.008, 0.01, 0.008)
        inside = (0.035, 0.028, 0.018, 0.008, 0.0, 0.0, 0.0)
        back = (0.008, 0.016, 0.022, 0.02, 0.012, 0.007, 0.006, 0.008)
        lower = _limb(f"tibia_{side}", tibia, talus, calf, back, (0.0,) * 8)
        return _limb(f"femur_{side}", femur, tibia, thigh, behind, tuple(inward * i for i in inside)) + lower
    if part == "arm":
        shoulder, elbow, wrist = at("humerus_r"), at("ulna_r"), at("lunate_r")
        upper = (0.046, 0.045, 0.042, 0.040, 0.038, 0.034, 0.029)
        fore = (0.030, 0.038, 0.038, 0.033, 0.028, 0.023, 0.020)
        return _limb("humerus_r", shoulder, elbow, upper, (0.0,) * 7, (0.0,) * 7) + _limb(
            "ulna_r", elbow, wrist, fore, (0.0,) * 7, (0.0,) * 7
        )
    if part == "shoulder":
        shoulder, middle = at("humerus_r"), at("torso")
        return [
            Ball("humerus_r", shoulder + np.array([-0.012, 0.0, -0.01]), np.array([0.055, 0.058, 0.06])),
            Ball("scapula_r", shoulder + np.array([0.04, 0.03, 0.0]), np.array([0.06, 0.06, 0.055])),
            Ball("torso", np.array([middle[0] - 0.07, 0.20, 1.45]), np.array([0.09, 0.07, 0.06])),
            Ball("torso", np.array([middle[0] - 0.1, 0.16, 1.38]), np.array([0.07, 0.07, 0.08])),
        ]
    if part == "trunk":
        x = float(at("pelvis")[0])
        return [
            Ball("pelvis", np.array([x, 0.155, 1.02]), np.array([0.18, 0.115, 0.13])),
            Ball("pelvis", np.array([x - 0.08, 0.21, 0.92]), np.array([0.095, 0.085, 0.10])),
            Ball("pelvis", np.array([x + 0.08, 0.21, 0.92]), np.array([0.095, 0.085, 0.10])),
            Ball("torso", np.array([x, 0.17, 1.18]), np.array([0.165, 0.115, 0.16])),
            Ball("torso", np.array([x, 0.18, 1.36]), np.array([0.165, 0.115, 0.2])),
            Ball("torso", np.array([x, 0.22, 1.55]), np.array([0.06, 0.065, 0.14])),
        ]
    if part == "head":
        x = float(at("head")[0])
        return [
            Ball("head", np.array([x, 0.206, 1.67]), np.array([0.08, 0.098, 0.096])),
            Ball("head", np.array([x, 0.165, 1.60]), np.array([0.058, 0.06, 0.055])),
            Ball("neck", np.array([x, 0.215, 1.56]), np.array([0.056, 0.06, 0.09])),
        ]
    raise ValueError(f"no soft tissue is called {part!r}")


def lungs(pose: Pose, rng: np.random.Generator) -> list[Ball]:
    """Air in the chest."""
    x = float(pose.skeleton.rest.joint("pelvis")[0])
    stretch = rng.uniform(0.9, 1.05)
    return [
        Ball("torso", np.array([x + side * 0.072, 0.185, 1.375]), np.array([0.056, 0.075, 0.135 * stretch]))
        for side in (-1, 1)
    ]


def gas(pose: Pose, rng: np.random.Generator) -> list[Ball]:
    """Bubbles in the bowel."""
    x = float(pose.skeleton.rest.joint("pelvis")[0])
    centres = rng.uniform((x - 0.12, 0.1, 0.93), (x + 0.12, 0.17, 1.25), (int(rng.integers(2, 16)), 3))
    return [Ball("pelvis", c, rng.uniform(0.006, 0.024, 3)) for c in centres]


def field(grid: Grid, pose: Pose, balls: list[Ball], cover: tuple[Array, float] | None) -> Array:
    """Rough signed distance in metres over the grid: negative inside any ball and inside the cover.

    cover: points (n, 3) and the thickness of the tissue over them in metres.
    """
    points = grid.points()
    inside = np.full(grid.shape, np.float32(np.exp(-12.0)))
    extent = np.array(grid.shape) * grid.pitch
    for ball in balls:
        turn, centre = pose.turn(ball.body), pose.carry(ball.body, ball.centre[None])[0]
        gap = np.maximum(np.maximum(grid.origin - centre, centre - grid.origin - extent), 0)
        if np.linalg.norm(gap) > ball.radii.max() * 1.6:
            continue
        scaled = (points - centre.astype(np.float32)) @ (turn / ball.radii).astype(np.float32)
        distance = (np.sqrt((scaled * scaled).sum(-1)) - 1) * np.float32(ball.radii.min())
        inside += np.exp(np.clip(-distance / np.float32(_BLEND), -30, 30))
    if cover is not None:
        distance = _distance_to(grid, cover[0]) - cover[1]
        inside += np.exp(np.clip(-distance / np.float32(_BLEND * 0.35), -30, 30)) ** np.float32(0.35)
    joined: Array = -_BLEND * np.log(inside)
    return joined


def surface(grid: Grid, values: Array, level: float = 0.0) -> Mesh:
    """The closed surface where a field falls below a level (metres); cut flat where it leaves the grid."""
    from skimage.measure import marching_cubes

    padded = np.pad(values - level, 1, constant_values=0.5 * grid.pitch)
    if padded.min() >= 0:
        return EMPTY
    vertices, faces, _, _ = marching_cubes(padded.astype(np.float32), 0.0, gradient_direction="descent")
    return Mesh(grid.origin + (vertices - 1) * grid.pitch, faces.astype(np.int32))


def _limb(
    body: str, start: Array, stop: Array, radii: tuple[float, ...], behind: tuple[float, ...], inward: tuple[float, ...]
) -> list[Ball]:
    knots, along = np.linspace(0, 1, len(radii)), np.linspace(0, 1, 15)
    profile = (np.interp(along, knots, values) for values in (radii, behind, inward))
    length = float(np.linalg.norm(stop - start))  # balls are longer than wide, but do not bulge out of a bent joint
    return [
        Ball(
            body,
            start + t * (stop - start) + (x, y, 0.0),
            np.array([r, r, max(r, min(0.05, 0.02 + length * min(t, 1 - t)))]),
        )
        for t, r, y, x in zip(along, *profile, strict=True)
    ]


def _distance_to(grid: Grid, points: Array) -> NDArray[np.float32]:
    from scipy.ndimage import distance_transform_edt

    away = np.ones(grid.shape, bool)
    index = np.round((points - grid.origin) / grid.pitch).astype(int)
    index = index[((index >= 0) & (index < grid.shape)).all(1)]
    away[tuple(index.T)] = False
    if away.all():
        return np.full(grid.shape, np.float32(1.0))
    distance: NDArray[np.float32] = (distance_transform_edt(away) * grid.pitch).astype(np.float32)
    return distance
