"""Bone meshes made watertight."""

import pytest

from mskmodel.phantoms.remeshing import close, remesh
from tests.meshes import box, volume


def test_a_box_without_a_lid_is_closed():
    open_box = box(0.02)
    assert volume(close(open_box)) == pytest.approx(8e-6, rel=0.01)


def test_a_remeshed_bone_keeps_its_volume_and_has_a_marrow_inside():
    shell = remesh(box(0.02), cortex_mm=2.0, shaft_mm=2.0)
    assert volume(shell.outer) == pytest.approx(8e-6, rel=0.1)
    assert 0 < volume(shell.inner_thick) < volume(shell.inner_thin) < volume(shell.outer)
