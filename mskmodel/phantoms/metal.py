"""Implants: crude shapes where surgeons put finer ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.anatomy import Pose
from mskmodel.phantoms.remeshing import EMPTY, Mesh, merge
from mskmodel.phantoms.tissue import Grid, surface

__all__ = ["Site", "implant", "rod"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Site:
    """Where metal goes: the pose, the posed surfaces of the bones in view and of their marrow, and the generator."""

    pose: Pose
    outer: dict[str, Mesh]
    marrow: dict[str, Mesh]
    rng: np.random.Generator

    def cut(self, bone: str, point: Array, normal: Array) -> None:
        """Saw off what lies on the normal's side of a plane through a point; normal: a unit vector."""
        for meshes in (self.outer, self.marrow):
            vertices = meshes[bone].vertices
            beyond = np.maximum((vertices - point) @ normal, 0)
            meshes[bone] = Mesh(vertices - beyond[:, None] * normal, meshes[bone].faces)


def implant(kind: str, site: Site) -> Mesh:
    """An implant of a kind in its place; empty for an unknown kind, and where its bone is not in view."""
    make = _KINDS.get(kind)
    return make(site) if make else EMPTY


def rod(start: Array, stop: Array, radius: float, stop_radius: float | None = None, sides: int = 14) -> Mesh:
    """A closed cylinder or cone between two points; lengths in metres."""
    axis = (stop - start) / np.linalg.norm(stop - start)
    side = np.cross(axis, (0.3, 0.5, 0.8))
    side /= np.linalg.norm(side)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    ring = np.cos(turn) * side + np.sin(turn) * np.cross(axis, side)
    ends = np.stack([start, stop])
    end_radius = radius if stop_radius is None else stop_radius
    vertices = np.concatenate([start + radius * ring, stop + end_radius * ring, ends])
    here, after = np.arange(sides), (np.arange(sides) + 1) % sides
    first, last = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    faces = np.concatenate(
        [
            np.stack([here, after, after + sides], 1),
            np.stack([here, after + sides, here + sides], 1),
            np.stack([first, after, here], 1),
            np.stack([last, here + sides, after + sides], 1),
        ]
    )
    return Mesh(vertices, faces.astype(np.int32))


def _ball(centre: Array, radius: float) -> Mesh:
    grid = Grid.around(centre - 1.15 * radius, centre + 1.15 * radius, 18)
    return surface(grid, np.linalg.norm(grid.points() - centre, axis=-1) - radius)


def _plate(start: Array, stop: Array, side: Array, rng: np.random.Generator) -> Mesh:
    """A plate along the bone with screws through it towards -side."""
    across = np.cross(stop - start, side)
    across /= np.linalg.norm(across)
    width = rng.uniform(0.004, 0.007)
    strips = [rod(start + k * width * across, stop + k * width * across, 0.0022) for k in (-0.6, 0.0, 0.6)]
    screws = [
        rod(at, at - side * 0.03 * rng.uniform(0.7, 1.1), 0.002)
        for at in (start + t * (stop - start) for t in np.linspace(0.04, 0.96, int(rng.integers(4, 10))))
        if rng.random() < 0.85
    ]
    return merge(strips + screws)


def _axis(pose: Pose, top: str, bottom: str) -> tuple[Array, Array, Array, Array]:
    """Upper end, lower end, and the directions across and backwards of the limb between two joints."""
    a, b = pose.joint(top), pose.joint(bottom)
    turn = pose.turn(top)
    return a, b, turn @ np.array([-1.0, 0, 0]), turn @ np.array([0, 1.0, 0])


def _between(a: Array, b: Array, t: float) -> Array:
    return a + t * (b - a)


def _knee_prosthesis(site: Site) -> Mesh:
    parts = []
    if "r_femur" in site.outer:
        parts.append(_femoral_component(site.pose, site.outer["r_femur"]))
    if "r_tibia" in site.outer:
        parts += _tibial_tray(site)
    if site.rng.random() < 0.2:
        thigh, knee, _, _ = _axis(site.pose, "femur_r", "tibia_r")
        parts.append(rod(_between(thigh, knee, 0.97), _between(thigh, knee, site.rng.uniform(0.65, 0.85)), 0.007))
    return merge(parts)


def _tibial_tray(site: Site) -> list[Mesh]:
    """A plate on the cut end of the tibia and a keel below it; above it a gap, as the plastic is not seen."""
    a, b, side, back = _axis(site.pose, "tibia_r", "talus_r")
    down = (b - a) / np.linalg.norm(b - a)
    along = (site.outer["r_tibia"].vertices - a) @ down
    cut = float(along.min()) + site.rng.uniform(0.011, 0.016)
    end = site.outer["r_tibia"].vertices[np.abs(along - cut - 0.002) < 0.004] - a
    across, deep = end @ side, end @ back
    middle = a + cut * down + side * (across.max() + across.min()) / 2 + back * (deep.max() + deep.min()) / 2
    site.cut("r_tibia", middle, -down)
    tray = rod(middle - 0.003 * down, middle + 0.001 * down, 1.0, sides=32)
    stretch = np.ptp(across) / 2 * np.outer(side, side) + np.ptp(deep) / 2 * np.outer(back, back) + np.outer(down, down)
    plate = Mesh(middle + (tray.vertices - middle) @ stretch, tray.faces)
    keel = middle + site.rng.uniform(0.028, 0.045) * down
    fins = [rod(middle + k * 0.016 * side, keel, 0.0025) for k in (-1, 1)]
    stem = site.rng.uniform(0.06, 0.11) if site.rng.random() < 0.2 else 0.0
    return [plate, rod(middle, keel + stem * down, 0.0075, 0.0055), *fins]


def _femoral_component(pose: Pose, femur: Mesh) -> Mesh:
    """Metal on the front, the lower end and the back of the condyles, open at their sides."""
    from scipy.spatial import cKDTree

    thigh, knee, _, back = _axis(pose, "femur_r", "tibia_r")
    up = (thigh - knee) / np.linalg.norm(thigh - knee)
    height = (femur.vertices - knee) @ up
    near = femur.vertices[height < height.min() + 0.05]
    middles = femur.vertices[femur.faces].mean(1)
    skin = np.concatenate([near, middles[(middles - knee) @ up < height.min() + 0.05]])
    grid = Grid.around(near.min(0) - 0.006, near.max(0) + 0.006, 60)
    points = grid.points()
    distance, _ = cKDTree(skin).query(points.reshape(-1, 3), distance_upper_bound=0.03)
    shell = np.minimum(distance, 0.03).reshape(grid.shape) - 0.0038
    level, depth = (points - knee) @ up - height.min(), (points - knee) @ back
    behind, front = float(((near - knee) @ back).max()), float(((near - knee) @ back).min())
    kept = np.minimum(
        np.minimum(level - 0.009, depth - (front + 0.009)), (behind - 0.010) - depth
    )  # above 0 in the bone that stays
    return surface(
        grid, np.maximum(np.maximum(shell, kept), level - np.where(depth < (front + behind) / 2, 0.042, 0.03))
    )


def _plate_on(top: str, bottom: str, low: float, high: float, off: float) -> Callable[[Site], Mesh]:
    def make(site: Site) -> Mesh:
        a, b, side, back = _axis(site.pose, top, bottom)
        turned = site.rng.uniform(-0.6, 0.6)
        side = side * np.cos(turned) + back * np.sin(turned)
        start = site.rng.uniform(low, high - 0.2)
        stop = min(high, start + site.rng.uniform(0.2, 0.5))
        return _plate(_between(a, b, start) + off * side, _between(a, b, stop) + off * 0.9 * side, side, site.rng)

    return make


def _nail_in(bone: str, low: float, high: float) -> Callable[[Site], Mesh]:
    """A rod in the marrow: through the middle of the bone at each level, with locking screws at the ends."""

    def make(site: Site) -> Mesh:
        if bone not in site.outer:
            return EMPTY
        vertices = site.outer[bone].vertices
        centre = vertices.mean(0)
        axis = np.linalg.svd(vertices[::7] - centre, full_matrices=False)[2][0]
        along = (vertices - centre) @ axis
        levels = np.quantile(along, (low, high))
        a, b = (vertices[np.abs(along - level) < 0.01].mean(0) for level in levels)
        parts = [rod(a, b, site.rng.uniform(0.004, 0.006))]
        for t in (0.05, 0.1, 0.9, 0.95):
            cross = np.cross(axis, site.rng.normal(size=3))
            cross *= 0.022 / np.linalg.norm(cross)
            parts.append(rod(_between(a, b, t) - cross, _between(a, b, t) + cross, 0.0022))
        return merge(parts)

    return make


def _wires(site: Site) -> Mesh:
    small = [name for name in site.outer if "mc_" in name or "prox" in name or "foot" in name or name == "radius_r"]
    parts = []
    for name in site.rng.choice(small, min(len(small), 3), replace=False) if small else []:
        vertices = site.outer[str(name)].vertices
        a, b = vertices[site.rng.integers(len(vertices), size=2)]
        if np.linalg.norm(a - b) > 0.01:
            parts.append(rod(a - 0.2 * (b - a), b, site.rng.uniform(0.0005, 0.0011)))
    return merge(parts)


def _hip_prosthesis(site: Site) -> Mesh:
    hip, knee, side, _ = _axis(site.pose, "femur_r", "tibia_r")
    shaft = _shaft_point(site.outer, hip, knee, 0.2)
    neck = _between(hip + 0.03 * side, shaft, 0.45)
    tip = _shaft_point(site.outer, hip, knee, site.rng.uniform(0.34, 0.45))
    inward = (hip - neck) / np.linalg.norm(hip - neck)
    if "r_femur" in site.outer:
        site.cut("r_femur", neck, inward)
    stem = [rod(hip, neck, 0.006), rod(neck, shaft, 0.011, 0.009), rod(shaft, tip, 0.009, 0.005)]
    if site.rng.random() < 0.3:  # half a joint: a large head in the patient's own socket
        return merge([_ball(hip, 0.024), *stem])
    return merge([_cup(hip, inward, site.rng.uniform(0.024, 0.029)), _ball(hip, 0.015), *stem])


def _cup(centre: Array, inward: Array, radius: float) -> Mesh:
    """Half a hollow ball, open towards the femur."""
    grid = Grid.around(centre - 1.15 * radius, centre + 1.15 * radius, 36)
    offset = grid.points() - centre
    wall = np.abs(np.linalg.norm(offset, axis=-1) - radius) - 0.0022
    return surface(grid, np.maximum(wall, -offset @ inward))


def _hip_screw(site: Site) -> Mesh:
    hip, knee, side, _ = _axis(site.pose, "femur_r", "tibia_r")
    start = _shaft_point(site.outer, hip, knee, 0.15) + 0.016 * side
    stop = _shaft_point(site.outer, hip, knee, site.rng.uniform(0.3, 0.45)) + 0.016 * side
    return merge([_plate(start, stop, side, site.rng), rod(start, hip, 0.0055)])


def _shaft_point(outer: dict[str, Mesh], hip: Array, knee: Array, t: float) -> Array:
    """The middle of the femur's shaft at a fraction of the way from hip to knee."""
    at = _between(hip, knee, t)
    if "r_femur" not in outer:
        return at
    axis = (knee - hip) / np.linalg.norm(knee - hip)
    vertices = outer["r_femur"].vertices
    ring = vertices[np.abs((vertices - at) @ axis) < 0.012]
    return 0.5 * (ring.min(0) + ring.max(0)) if len(ring) else at


def _shoulder_prosthesis(site: Site) -> Mesh:
    shoulder, elbow, side, _ = _axis(site.pose, "humerus_r", "ulna_r")
    head = shoulder - 0.006 * side
    neck = _between(shoulder, elbow, 0.1)
    tip = _between(shoulder, elbow, site.rng.uniform(0.3, 0.45))
    return merge([_ball(head, 0.021), rod(head, neck, 0.009), rod(neck, tip, 0.007, 0.005)])


def _fixator(site: Site) -> Mesh:
    a, b, side, back = _axis(site.pose, "tibia_r", "talus_r")
    out = side * np.cos(site.rng.uniform(-1, 1)) + back * 0.4
    out /= np.linalg.norm(out)
    bars = [rod(_between(a, b, 0.1) + k * out, _between(a, b, 0.95) + k * out, 0.005) for k in (0.09, 0.12)]
    entries = [_between(a, b, t) for t in site.rng.uniform(0.1, 0.95, 6)]
    pins = [rod(entry - 0.01 * out, entry + 0.14 * out, 0.0027) for entry in entries]
    return merge(bars + pins)


_KINDS: dict[str, Callable[[Site], Mesh]] = {
    "knee_prosthesis": _knee_prosthesis,
    "plate": _plate_on("tibia_r", "talus_r", 0.05, 0.6, 0.018),
    "plate_femur": _plate_on("femur_r", "tibia_r", 0.3, 1.0, 0.02),
    "ankle_plate": _plate_on("tibia_r", "talus_r", 0.7, 1.0, 0.03),
    "elbow_plate": _plate_on("humerus_r", "ulna_r", 0.6, 1.0, 0.016),
    "plate_humerus": _plate_on("humerus_r", "ulna_r", 0.05, 0.8, 0.016),
    "plate_forearm": _plate_on("ulna_r", "lunate_r", 0.1, 0.9, 0.01),
    "nail": _nail_in("r_tibia", 0.05, 0.92),
    "nail_femur": _nail_in("r_femur", 0.12, 0.93),
    "nail_humerus": _nail_in("humerus_r", 0.08, 0.9),
    "wires": _wires,
    "hip_prosthesis": _hip_prosthesis,
    "hip_screw": _hip_screw,
    "shoulder_prosthesis": _shoulder_prosthesis,
    "fixator": _fixator,
}
