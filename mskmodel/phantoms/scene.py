"""One projection of one patient: a view's bones and tissue, posed, framed and crossed by rays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms import metal, patient, tissue
from mskmodel.phantoms.anatomy import Pose, skeleton
from mskmodel.phantoms.projection import Beam, path_lengths
from mskmodel.phantoms.remeshing import EMPTY, Mesh, merge
from mskmodel.phantoms.views import VIEWS, Framing, View

__all__ = ["Projection", "project"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """Centimetres of each material along each ray: skin, muscle, bone, marrow, air, metal, cast.

    Each is everything inside that surface: `bone` includes `marrow`, `skin` includes all but the cast.
    """

    lengths: dict[str, NDArray[np.float32]]
    pixel_mm: float  # at the patient
    magnification: float  # from there to the detector
    view: View

    @property
    def detector_mm(self) -> float:
        """Spacing of the pixels at the detector."""
        return self.pixel_mm * self.magnification


def project(name: str, rng: np.random.Generator, pixels_along: int) -> list[Projection]:
    """Project one random patient in a view: the right side of the body, not mirrored.

    One projection, and more where several views are exposed on one plate.
    """
    views = VIEWS[name]
    weights = np.array([view.weight for view in views])
    view: View = views[int(rng.choice(len(views), p=weights / weights.sum()))]
    first, implant = _projected(view, rng, pixels_along)
    return [first, *(_projected(other, rng, pixels_along, implant)[0] for other in view.beside)]


def _projected(
    view: View, rng: np.random.Generator, pixels_along: int, implant: str | None = None
) -> tuple[Projection, str]:
    """The projection, and the implant that is in it: the one given, where the view can have it, else one by chance."""
    pose = skeleton().pose({joint: float(rng.uniform(*limits)) for joint, limits in view.joints.items()})
    beam = _beam(view, pose, rng, pixels_along)
    outer, marrow = patient.bones(view, pose, beam, rng)
    if implant is None:
        implant = str(rng.choice(view.implants)) if view.implants and rng.random() < 0.2 else ""
    implant = implant if implant in view.implants else ""
    implanted = metal.implant(implant, metal.Site(pose, outer, marrow, rng))  # cuts bone away where it has to
    meshes = {"bone": merge(list(outer.values())), "marrow": merge(list(marrow.values())), "cast": EMPTY}
    meshes["metal"] = implanted
    meshes |= _soft(view, pose, beam, meshes["bone"], implant == "cast", rng)
    shape = patient.shape(beam.centre, rng)
    meshes = {key: Mesh(shape(mesh.vertices), mesh.faces) for key, mesh in meshes.items()}
    lengths = path_lengths(beam, meshes)
    return Projection(lengths, beam.height / beam.shape[0] * 1000, beam.magnification, view), implant


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
    points = points[beam.sees(points, 1.3)]
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
    """Plaster from 2 mm off the skin outwards, ending somewhere along the image."""
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


def _turned(vector: Array, axis: Array, degrees: float) -> Array:
    """Rodrigues' rotation about a unit axis."""
    angle = np.radians(degrees)
    rotated: Array = (
        vector * np.cos(angle) + np.cross(axis, vector) * np.sin(angle) + axis * (axis @ vector) * (1 - np.cos(angle))
    )
    return rotated
