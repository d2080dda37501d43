"""Bones in parts: growth plates of children, and fractures."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.anatomy import FINGERS, LONG_BONES, skeleton
from mskmodel.phantoms.remeshing import Mesh, merge

__all__ = ["fracture", "grow"]

Array = NDArray[np.float64]

#: Growth plates of a school child: the share of the bone beyond them, at the end nearer the trunk and at the other.
_PLATES: dict[str, tuple[float | None, float | None]] = {
    "r_femur": (None, 0.065),
    "l_femur": (None, 0.065),
    "r_tibia": (0.055, 0.05),
    "l_tibia": (0.055, 0.05),
    "r_fibula": (0.06, 0.075),
    "l_fibula": (0.06, 0.075),
    "humerus_r": (0.1, 0.045),
    "radius_r": (0.035, 0.045),
    "ulna_r": (None, 0.04),
    **{f"{n}mc_r": (None, 0.17) for n in range(2, 6)},
    "1mc_r": (0.17, None),
    **{bone: (0.16, None) for bone in FINGERS if "prox" in bone or "mid" in bone or "dist" in bone},
}


def grow(outer: dict[str, Mesh], marrow: dict[str, Mesh], rng: np.random.Generator) -> None:
    """Make the patient a child: put cartilage, which is not seen, between shafts and ends; make the ends smaller."""
    width = rng.uniform(0.001, 0.0028)
    smaller = rng.uniform(0.82, 0.98)
    for bone in outer:
        ends = _ends(bone, outer[bone].vertices)
        for end, other, share in zip(ends, ends[::-1], _PLATES.get(bone, (None, None)), strict=True):
            if share is None:
                continue
            length = float(np.linalg.norm(other - end))
            outwards = _tilted((end - other) / length, 6.0, rng)
            at = end + share * rng.uniform(0.85, 1.15) * (other - end)
            gap = min(width, 0.03 * length + 0.0004)
            middle = at + 0.5 * share * (end - other)

            def shrunk(vertices: Array, middle: Array = middle) -> Array:
                return middle + (vertices - middle) * smaller

            # The marrow ends before the plate: bone is dense along it.
            for meshes, open_by in ((outer, gap), (marrow, gap + min(0.0016, 0.02 * length))):
                meshes[bone] = _parted(meshes[bone], at, outwards, open_by, shrunk)


def fracture(
    outer: dict[str, Mesh],
    marrow: dict[str, Mesh],
    seen: Callable[[Array], NDArray[np.bool_]],
    rng: np.random.Generator,
) -> None:
    """Break one bone where it is ``seen`` (points (n, 3) to (n,)), and displace its shorter part a little."""
    places = [(bone, outer[bone].vertices[seen(outer[bone].vertices)]) for bone in outer if bone in LONG_BONES]
    places = [(bone, vertices) for bone, vertices in places if len(vertices) > 20]
    if not places:
        return
    bone, vertices = places[rng.integers(len(places))]
    near, far = _ends(bone, outer[bone].vertices)
    length = float(np.linalg.norm(far - near))
    along = (far - near) / length
    reached = float((vertices[rng.integers(len(vertices))] - near) @ along) / length
    share = float(np.clip(reached, 0.08, 0.92))
    at = near + share * (far - near)
    outwards = _tilted(along if share > 0.5 else -along, 25.0, rng)
    hinge = np.cross(along, rng.standard_normal(3))
    hinge /= np.linalg.norm(hinge)
    angle = np.radians(rng.normal(0, 6))
    slip = np.cross(along, hinge) * rng.normal(0, 0.05) * min(length, 0.08) + along * rng.normal(0, 0.0015)

    def displaced(points: Array) -> Array:
        offset = points - at
        turned = offset * np.cos(angle) + np.cross(hinge, offset) * np.sin(angle)
        moved: Array = at + turned + hinge * (offset @ hinge)[:, None] * (1 - np.cos(angle)) + slip
        return moved

    for meshes in (outer, marrow):
        meshes[bone] = _parted(meshes[bone], at, outwards, rng.uniform(0.0003, 0.0015), displaced)


def _parted(mesh: Mesh, at: Array, outwards: Array, gap: float, place: Callable[[Array], Array]) -> Mesh:
    """The mesh without a slab of ``gap`` metres at a point; ``place`` moves the part that lies outwards of it."""
    from manifold3d import Manifold
    from manifold3d import Mesh as ManifoldMesh

    if not len(mesh.faces):
        return mesh
    solid = Manifold(ManifoldMesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)))
    level = float(at @ outwards)
    end = _mesh(solid.trim_by_plane(outwards, level + gap / 2))
    return merge([_mesh(solid.trim_by_plane(-outwards, gap / 2 - level)), Mesh(place(end.vertices), end.faces)])


def _mesh(solid: Any) -> Mesh:
    drawn = solid.to_mesh()
    vertices = np.asarray(drawn.vert_properties, np.float64).reshape(-1, drawn.vert_properties.shape[1])[:, :3]
    return Mesh(vertices, np.asarray(drawn.tri_verts, np.int32).reshape(-1, 3))


def _ends(bone: str, vertices: Array) -> tuple[Array, Array]:
    """Of a posed bone: the point nearest the trunk and the one farthest from it."""
    first, last = _extremes(bone)
    return vertices[first], vertices[last]


@functools.cache
def _extremes(bone: str) -> tuple[int, int]:
    """A bone's highest and lowest vertex while the body stands with hanging arms; of a clavicle, those of its ends."""
    placed = skeleton().rest.place(bone, skeleton().shell(bone).outer.vertices)
    height = placed[:, 0] if "clavicle" in bone else placed[:, 2]
    return int(height.argmax()), int(height.argmin())


def _tilted(direction: Array, degrees: float, rng: np.random.Generator) -> Array:
    """A unit vector tilted at random off another, with a deviation of ``degrees``."""
    off = direction + np.tan(np.radians(rng.normal(0, degrees))) * np.cross(direction, _unit(rng))
    tilted: Array = off / np.linalg.norm(off)
    return tilted


def _unit(rng: np.random.Generator) -> Array:
    vector = rng.standard_normal(3)
    unit: Array = vector / np.linalg.norm(vector)
    return unit
