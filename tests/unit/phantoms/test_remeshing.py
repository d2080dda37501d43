"""Bone meshes made watertight."""

import numpy as np
import pytest

from mskmodel.phantoms.remeshing import Mesh, close, remesh


def volume(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def box(side: float) -> Mesh:
    """A cube without a lid."""
    low = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T * side
    sides = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5], [2, 3, 7], [2, 7, 6]]
    return Mesh(low, np.array([*sides, [0, 2, 6], [0, 6, 4]], np.int32))


def test_a_box_without_a_lid_is_closed():
    open_box = box(0.02)
    assert volume(close(open_box)) == pytest.approx(8e-6, rel=0.01)


def test_a_remeshed_bone_keeps_its_volume_and_has_a_marrow_inside():
    shell = remesh(box(0.02), cortex_mm=2.0, shaft_mm=2.0)
    assert volume(shell.outer) == pytest.approx(8e-6, rel=0.1)
    assert 0 < volume(shell.inner_thick) < volume(shell.inner_thin) < volume(shell.outer)
