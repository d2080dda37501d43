"""One patient made of the one skeleton: bones in place, adult or child, whole or broken, and a body shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms import splitting
from mskmodel.phantoms.anatomy import LONG_BONES, Pose, skeleton
from mskmodel.phantoms.projection import Beam
from mskmodel.phantoms.remeshing import Mesh
from mskmodel.phantoms.views import ARM, View

__all__ = ["bones", "shape"]

Array = NDArray[np.float64]

#: Number of smooth waves that warp the skeleton into another body, and the deviation of the strain of each.
_WAVES, _STRAIN = 6, 0.05
#: Deviation of the logarithm of the factor by which each long bone is stouter.
_BREADTH = 0.06
#: Direction from the head of the humerus into its socket, the body at rest.
_INTO_SOCKET = np.array([0.86, 0.5, 0.0])
#: Share of children among the patients, and share of patients with a broken bone among the others.
_CHILDREN, _FRACTURES = 0.15, 0.12


def bones(view: View, pose: Pose, beam: Beam, rng: np.random.Generator) -> tuple[dict[str, Mesh], dict[str, Mesh]]:
    """The view's bones in the beam, and the marrow in them, by name; perhaps a child's, perhaps one broken."""
    kind = "inner_thin" if rng.random() < 0.5 else "inner_thick"
    outer: dict[str, Mesh] = {}
    marrow: dict[str, Mesh] = {}
    for bone in view.bones:
        shell = skeleton().shell(bone)
        placed = pose.place(bone, shell.outer.vertices)
        if not beam.sees(placed, 1.15).any():
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
        splitting.fracture(outer, marrow, lambda points: beam.sees(points, 0.9), rng)
    return outer, marrow


def _stouter(vertices: Array, factor: float) -> Callable[[Array], Array]:
    """A function that moves points (n, 3) to ``factor`` times their distance from the long axis of these vertices."""
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
            for bone in set(ARM) & set(meshes):
                meshes[bone] = Mesh(meshes[bone].vertices + step * inwards, meshes[bone].faces)


def shape(centre: Array, rng: np.random.Generator) -> Callable[[Array], Array]:
    """A function that gives points (n, 3) in metres another body shape: stretched as a whole, warped by smooth waves.

    A wave strains the body by some percent. Bone, marrow and tissue move together, so that none leaves another.
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
    """Random unit vectors, (waves, 3)."""
    vectors = rng.standard_normal((_WAVES, 3))
    unit: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
