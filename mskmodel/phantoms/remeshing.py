"""Open or coarse bone meshes made watertight, smooth, and given a marrow space.

A mesh is closed algebraically, filled on a voxel grid by its winding number, and drawn again by marching cubes
of the smoothed signed distance. The same distance gives the inner side of the cortex, which can then never
cross the outer one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EMPTY", "Mesh", "Shell", "close", "merge", "remesh"]

#: Voxels along the longest side of a bone, and in its bounding box: the coarser of the two limits applies.
_VOXELS_ALONG, _VOXELS_IN_BOX = 240, 700_000
_FINEST_M = 0.00035
#: A bone this many times longer than wide has a shaft with a thick cortex.
_SHAFT_ELONGATION = 3.0


@dataclass(frozen=True)
class Mesh:
    """Vertices, float64 (n, 3) in metres, and faces, int32 (m, 3), counter-clockwise seen from outside."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]


@dataclass(frozen=True)
class Shell:
    """One bone: its surface, and the inner side of its cortex, thin and thick (empty where the bone is too small)."""

    outer: Mesh
    inner_thin: Mesh
    inner_thick: Mesh


EMPTY = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32))


def merge(meshes: list[Mesh]) -> Mesh:
    """One mesh of them all; overlaps stay and count twice in a path length."""
    if not meshes:
        return EMPTY
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces).astype(np.int32))


def close(mesh: Mesh) -> Mesh:
    """Cover every hole with a cone from its rim to the rim's centre.

    Works on any triangle soup: what is covered is the boundary in the sense of homology, the directed edges that
    no opposite edge cancels, so that the winding number is defined everywhere afterwards.
    """
    _, first, welded = np.unique(mesh.vertices.round(7), axis=0, return_index=True, return_inverse=True)
    vertices, faces = mesh.vertices[first], welded.reshape(-1)[mesh.faces]
    rim = _uncancelled_edges(faces, len(vertices))
    if not len(rim):
        return Mesh(vertices, faces.astype(np.int32))
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(rim)), (rim[:, 0], rim[:, 1])), shape=(len(vertices), len(vertices)))
    _, component = connected_components(graph, directed=False)
    holes, hole = np.unique(component[rim[:, 0]], return_inverse=True)
    tips = np.stack([vertices[rim[hole == k, 0]].mean(0) for k in range(len(holes))])
    cones = np.stack([rim[:, 1], rim[:, 0], len(vertices) + hole], axis=1)
    return Mesh(np.concatenate([vertices, tips]), np.concatenate([faces, cones]).astype(np.int32))


def _uncancelled_edges(faces: NDArray[np.integer], vertex_count: int) -> NDArray[np.int64]:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    low, high = edges.min(1), edges.max(1)
    keys, where = np.unique(low * vertex_count + high, return_inverse=True)
    net = np.bincount(where, weights=np.where(edges[:, 0] == low, 1, -1)).round().astype(int)
    low, high = keys // vertex_count, keys % vertex_count
    forward, backward = np.stack([low, high], 1), np.stack([high, low], 1)
    return np.concatenate([np.repeat(forward, np.maximum(net, 0), 0), np.repeat(backward, np.maximum(-net, 0), 0)])


def remesh(mesh: Mesh, cortex_mm: float, shaft_mm: float) -> Shell:
    """Close, smooth and hollow a bone.

    cortex_mm: thickness of the cortex at the ends; shaft_mm: in the middle of a long bone's shaft.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    box = high - low
    pitch = max(_FINEST_M, float(box.max()) / _VOXELS_ALONG, float(box.prod() / _VOXELS_IN_BOX) ** (1 / 3))
    origin = low - 4.37 * pitch
    shape = tuple(int(n) for n in np.ceil((high - low) / pitch) + 9)
    filled = np.abs(_winding_number(close(mesh), origin, pitch, shape)) > 0
    # Rounds off voxel stairs and, for coarse meshes, facets.
    blur = 1.6 if len(mesh.faces) < 1000 else 0.9
    distance = distance_transform_edt(filled) - distance_transform_edt(~filled)
    distance = gaussian_filter(distance.astype(np.float32), blur) * pitch * 1000.0
    thickness = _cortex(distance, cortex_mm, shaft_mm)
    outer = _surface(distance, origin, pitch)
    inner = [_surface(distance - factor * thickness, origin, pitch) for factor in (0.65, 1.15)]
    return Shell(outer, *inner)


def _cortex(distance: NDArray[np.float32], end_mm: float, shaft_mm: float) -> NDArray[np.float32]:
    """Thickness of the cortex in mm at each voxel: more in the middle of a long and thin bone."""
    inside = np.argwhere(distance > 0).astype(np.float64)
    centre = inside.mean(0)
    spread, axes = np.linalg.eigh(np.cov((inside - centre).T))
    if spread[2] < _SHAFT_ELONGATION**2 * spread[1]:
        return np.full(distance.shape, end_mm, np.float32)
    axis = axes[:, 2]
    start, stop = np.quantile((inside - centre) @ axis, (0.0, 1.0))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in distance.shape), indexing="ij"), -1)
    along = ((grid - centre) @ axis - start) / (stop - start)
    shaft = np.clip((0.42 - np.abs(along - 0.5)) / 0.22, 0, 1)
    thickness: NDArray[np.float32] = (end_mm + (shaft_mm - end_mm) * shaft * shaft * (3 - 2 * shaft)).astype(np.float32)
    return thickness


def _surface(field: NDArray[np.float32], origin: NDArray[np.float64], pitch: float) -> Mesh:
    from manifold3d import Manifold
    from manifold3d import Mesh as ManifoldMesh
    from skimage.measure import marching_cubes

    if field.max() <= 0:
        return EMPTY
    vertices, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="ascent")
    solid = Manifold(ManifoldMesh(vertices.astype(np.float32), faces.astype(np.uint32))).simplify(0.3)
    drawn = solid.to_mesh() if not solid.is_empty() else None
    if drawn is None:
        return Mesh(origin + vertices * pitch, faces.astype(np.int32))
    return Mesh(origin + np.asarray(drawn.vert_properties)[:, :3] * pitch, np.asarray(drawn.tri_verts).astype(np.int32))


def _winding_number(mesh: Mesh, origin: NDArray[np.float64], pitch: float, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """How often the closed mesh winds round each voxel centre: signed crossings counted along the last axis."""
    crossings = np.zeros((shape[0], shape[1], shape[2] + 1), np.int32)
    corners = ((mesh.vertices - origin) / pitch)[mesh.faces]
    for a, b, c in corners:
        u, v = (b - a)[:2], (c - a)[:2]
        area = u[0] * v[1] - u[1] * v[0]
        low = np.ceil(np.minimum(np.minimum(a, b), c)[:2]).astype(int)
        high = np.floor(np.maximum(np.maximum(a, b), c)[:2]).astype(int)
        if area == 0 or (high < low).any():
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1), indexing="ij")
        s = ((x - a[0]) * v[1] - (y - a[1]) * v[0]) / area
        t = ((y - a[1]) * u[0] - (x - a[0]) * u[1]) / area
        hit = (s >= 0) & (t >= 0) & (s + t < 1)
        depth = np.ceil(a[2] + s[hit] * (b - a)[2] + t[hit] * (c - a)[2]).astype(int)
        np.add.at(crossings, (x[hit], y[hit], np.clip(depth, 0, shape[2])), -1 if area > 0 else 1)
    return np.cumsum(crossings, axis=2)[:, :, : shape[2]]
