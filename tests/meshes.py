"""Meshes to saw, close and measure."""

import numpy as np

from mskmodel.phantoms.remeshing import Mesh


def volume(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def box(side: float) -> Mesh:
    """A cube without a lid."""
    low = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T * side
    sides = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5], [2, 3, 7], [2, 7, 6]]
    return Mesh(low, np.array([*sides, [0, 2, 6], [0, 6, 4]], np.int32))
