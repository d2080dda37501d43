"""One patient on one table: a view's bones and tissue, posed, framed and cast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms import metal, splitting, tissue
from mskmodel.phantoms.anatomy import LONG_BONES, Pose, skeleton
from mskmodel.phantoms.projection import Beam, path_lengths
from mskmodel.phantoms.remeshing import EMPTY, Mesh, merge
from mskmodel.phantoms.views import ARM as _ARM
from mskmodel.phantoms.views import VIEWS, Framing, View

__all__ = ["Projection", "project"]

Array = NDArray[np.float64]

#: Smooth waves that make another body of the skeleton, and the deviation of what each strains.
_WAVES, _STRAIN = 6, 0.05
#: Deviation of the logarithm of how stout each long bone is.
_BREADTH = 0.06
#: From the head of the humerus into its socket, the body at rest.
_INTO_SOCKET = np.array([0.86, 0.5, 0.0])
#: Share of the patients who are children, and of the others, who have a broken bone.
_CHILDREN, _FRACTURES = 0.15, 0.12


@dataclass(frozen=True)
class Projection:
    """Centimetres of each material along each ray: skin, muscle, bone, marrow, air, metal, cast.

    Each is everything inside that surface: `bone` includes `marrow`, `skin` includes all but the cast.
    """

    lengths: dict[str, NDArray[np.float32]]
    pixel_mm: float
    view: View


def project(name: str, rng: np.random.Generator, pixels_along: int = 448) -> Projection:
    """Cast one random patient in a view of the table; the right side of the body, nothing mirrored."""
    views = VIEWS[name]
    weights = np.array([view.weight for view in views])
    view: View = views[int(rng.choice(len(views), p=weights / weights.sum()))]
    pose = skeleton().pose({joint: float(rng.uniform(*limits)) for joint, limits in view.joints.items()})
    beam = _beam(view, pose, rng, pixels_along)
    kind = "inner_thin" if rng.random() < 0.5 else "inner_thick"
    outer: dict[str, Mesh] = {}
    marrow: dict[str, Mesh] = {}
    for bone in view.bones:
        shell = skeleton().shell(bone)
        placed = pose.place(bone, shell.outer.vertices)
        if not _in_view(beam, placed, 1.15).any():
            continue
        inner: Mesh = getattr(shell, kind)
        stouter = _stouter(placed, float(np.exp(rng.normal(0, _BREADTH)))) if bone in LONG_BONES else _unchanged
        outer[bone] = Mesh(stouter(placed), shell.outer.faces)
        marrow[bone] = Mesh(stouter(pose.place(bone, inner.vertices)), inner.faces)
    _seat_patella(outer, marrow, rng)
    _seat_humerus(outer, marrow, pose, rng)
    if rng.random() < _CHILDREN:
        splitting.grow(outer, marrow, rng)
    elif rng.random() < _FRACTURES:
        splitting.fracture(outer, marrow, lambda points: _in_view(beam, points, 0.9), rng)
    implant = str(rng.choice(view.implants)) if view.implants and rng.random() < 0.2 else ""
    implanted = metal.implant(implant, metal.Site(pose, outer, marrow, rng))  # cuts bone away where it has to
    meshes = {"bone": merge(list(outer.values())), "marrow": merge(list(marrow.values())), "cast": EMPTY}
    meshes["metal"] = implanted
    meshes |= _soft(view, pose, beam, meshes["bone"], implant == "cast", rng)
    shape = _shape(beam.centre, rng)
    meshes = {key: Mesh(shape(mesh.vertices), mesh.faces) for key, mesh in meshes.items()}
    lengths = path_lengths(beam, meshes)
    return Projection(lengths, beam.height / beam.shape[0] * 1000, view)


def _stouter(vertices: Array, factor: float) -> Callable[[Array], Array]:
    """Points (n, 3) so many times as far from the long axis of a bone with these vertices."""
    centre = vertices.mean(0)
    axis = np.linalg.svd(vertices[::7] - centre, full_matrices=False)[2][0]

    def placed(points: Array) -> Array:
        offset = points - centre
        along = (offset @ axis)[:, None] * axis
        moved: Array = centre + along + factor * (offset - along)
        return moved

    return placed


def _unchanged(points: Array) -> Array:
    return points


def _seat_patella(outer: dict[str, Mesh], marrow: dict[str, Mesh], rng: np.random.Generator) -> None:
    """Bring each patella within the cartilage of its femur: the model's tendon leaves it 1 cm too far off."""
    from scipy.spatial import cKDTree

    for side in "rl":
        patella, femur = f"{side}_patella", f"{side}_femur"
        if patella in outer and femur in outer:
            distance, nearest = cKDTree(outer[femur].vertices).query(outer[patella].vertices)
            closest = int(distance.argmin())
            gap = outer[femur].vertices[nearest[closest]] - outer[patella].vertices[closest]
            step = gap * (1 - rng.uniform(0.001, 0.004) / max(float(distance[closest]), 1e-4))
            for meshes in (outer, marrow):
                meshes[patella] = Mesh(meshes[patella].vertices + step, meshes[patella].faces)


def _seat_humerus(outer: dict[str, Mesh], marrow: dict[str, Mesh], pose: Pose, rng: np.random.Generator) -> None:
    """Bring the arm within the cartilage of its socket: the model leaves it up to 1 cm too far out."""
    from scipy.spatial import cKDTree

    if "humerus_r" in outer and "scapula_r" in outer:
        inwards = pose.turn("scapula_r") @ _INTO_SOCKET
        tree, wanted = cKDTree(outer["scapula_r"].vertices), rng.uniform(0.002, 0.005)
        humerus, step = outer["humerus_r"].vertices, 0.0
        while step < 0.015 and tree.query(humerus + (step + 0.001) * inwards)[0].min() > wanted:
            step += 0.001
        for meshes in (outer, marrow):
            for bone in set(_ARM) & set(meshes):
                meshes[bone] = Mesh(meshes[bone].vertices + step * inwards, meshes[bone].faces)


def _beam(view: View, pose: Pose, rng: np.random.Generator, pixels_along: int) -> Beam:
    weights = np.array([framing.weight for framing in view.framings])
    framing: Framing = view.framings[int(rng.choice(len(weights), p=weights / weights.sum()))]
    frame = pose.turn(view.frame) if view.frame else np.eye(3)
    up, direction = frame @ np.array(view.up), frame @ np.array(view.beam)
    direction = _turned(direction, up, rng.uniform(*view.swing))
    side = np.cross(direction, up)
    tilt = rng.uniform(*view.tilt)
    direction, up = _turned(direction, side, tilt), _turned(up, side, tilt)
    height = rng.uniform(*framing.height)
    width = height * rng.uniform(*framing.aspect)
    centre = sum((weight * pose.joint(body) for body, weight in view.landmark.items()), np.zeros(3))
    centre = centre - up * height * rng.uniform(*framing.along) + side * width * rng.normal(0, 0.08)
    turn = float(rng.choice(framing.turns))
    if abs(turn) == 90 and width < height:
        width, height = height, width
    up = _turned(up, direction, turn + rng.uniform(*view.roll))
    beam = Beam(centre, direction, up, 1.1, 0.1, width, height, pixels_along)
    return replace(
        beam, source_to_detector=float(rng.uniform(0.95, 1.6)), object_to_detector=float(rng.uniform(0.03, 0.16))
    )


def _soft(view: View, pose: Pose, beam: Beam, bone: Mesh, cast: bool, rng: np.random.Generator) -> dict[str, Mesh]:
    """Skin, muscle, air and, if wanted, a cast."""
    build = float(np.exp(rng.normal(0, 0.18)))
    wide = build * rng.uniform(0.92, 1.08)
    balls = [
        replace(ball, radii=ball.radii * (build, wide, build))
        for part in view.tissue
        for ball in tissue.balls_of(part, pose)
    ]
    centres = np.array([pose.carry(ball.body, ball.centre[None])[0] for ball in balls])
    reach = np.array([ball.radii.max() for ball in balls])
    spread = np.concatenate([centres + k * reach[:, None] * axis for k in (-1, 0, 1) for axis in np.eye(3)])
    points = np.concatenate([spread, bone.vertices])
    points = points[_in_view(beam, points, 1.3)]
    margin = 0.02 + view.cover
    grid = tissue.Grid.around(points.min(0) - margin, points.max(0) + margin, 68)
    cover = None
    if view.cover:
        middles = bone.vertices[bone.faces].mean(1)
        cover = (np.concatenate([bone.vertices, middles]), view.cover * build**0.5)
    values = tissue.field(grid, pose, balls, cover)
    fat = rng.uniform(*view.fat_mm) / 1000 * build
    hollows = tissue.lungs(pose, rng) if view.lungs else []
    hollows += tissue.gas(pose, rng) if "trunk" in view.tissue else []
    meshes = {
        "skin": tissue.surface(grid, values),
        "muscle": tissue.surface(grid, values, -fat),
        "air": merge([_blob(hollow, pose) for hollow in hollows]),
    }
    if cast:
        meshes |= _cast(grid, values, beam, rng)
    return meshes


def _cast(grid: tissue.Grid, values: Array, beam: Beam, rng: np.random.Generator) -> dict[str, Mesh]:
    """Plaster from 2 mm off the skin outwards, ending somewhere along the picture."""
    thick = rng.uniform(0.004, 0.011)
    along = (grid.points() - beam.centre) @ beam.up
    end = np.abs(along - rng.normal(0, 0.2) * beam.height) - beam.height * rng.uniform(0.3, 0.8)
    outside, inside = (tissue.surface(grid, np.maximum(values - off, end)) for off in (0.002 + thick, 0.002))
    return {"cast": merge([outside, Mesh(inside.vertices, inside.faces[:, ::-1])])}


def _blob(ball: tissue.Ball, pose: Pose) -> Mesh:
    centre = pose.carry(ball.body, ball.centre[None])[0]
    reach = float(ball.radii.max()) * 1.2
    grid = tissue.Grid.around(centre - reach, centre + reach, 30)
    scaled = (grid.points() - centre) @ (pose.turn(ball.body) / ball.radii)
    return tissue.surface(grid, (np.linalg.norm(scaled, axis=-1) - 1) * ball.radii.min())


def _shape(centre: Array, rng: np.random.Generator) -> Callable[[Array], Array]:
    """Another body of the one skeleton: points (n, 3) in metres, stretched as a whole and warped by smooth waves.

    A wave strains what it passes by some percent; bone, marrow and tissue go together, so that none leaves another.
    """
    stretch = 1 + rng.uniform(-0.06, 0.06, 3)
    length = np.exp(rng.uniform(np.log(0.05), np.log(0.25), _WAVES))
    along, aside = (_directions(rng) for _ in range(2))
    strain = rng.normal(0, _STRAIN, _WAVES)
    phase = rng.uniform(0, 2 * np.pi, _WAVES)

    def placed(points: Array) -> Array:
        offset = points - centre
        waves = np.sin(offset @ along.T * (2 * np.pi / length) + phase) * (strain * length / (2 * np.pi))
        moved: Array = centre + offset * stretch + waves @ aside
        return moved

    return placed


def _directions(rng: np.random.Generator) -> Array:
    """Unit vectors every way, (waves, 3)."""
    vectors = rng.standard_normal((_WAVES, 3))
    unit: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _in_view(beam: Beam, points: Array, margin: float) -> NDArray[np.bool_]:
    """Which points (n, 3) are seen, in parallel projection, within so many times the field of view."""
    offset = points - beam.centre
    right = np.cross(beam.direction, beam.up)
    seen: NDArray[np.bool_] = (np.abs(offset @ right) < margin * beam.width / 2) & (
        np.abs(offset @ beam.up) < margin * beam.height / 2
    )
    return seen


def _turned(vector: Array, axis: Array, degrees: float) -> Array:
    """Rodrigues' rotation about a unit axis."""
    angle = np.radians(degrees)
    rotated: Array = (
        vector * np.cos(angle) + np.cross(axis, vector) * np.sin(angle) + axis * (axis @ vector) * (1 - np.cos(angle))
    )
    return rotated
