"""Bones in parts: sawn off, growth plates, fractures."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mskmodel.phantoms.anatomy import skeleton
from mskmodel.phantoms.metal import Site
from mskmodel.phantoms.remeshing import Mesh, close
from mskmodel.phantoms.splitting import fracture, grow
from tests.meshes import box, volume


def posed(*bones: str) -> tuple[dict[str, Mesh], dict[str, Mesh]]:
    """Surfaces of bones and of their marrow, the body at rest."""
    shells = {bone: skeleton().shell(bone) for bone in bones}
    place = skeleton().rest.place
    outer = {bone: Mesh(place(bone, shell.outer.vertices), shell.outer.faces) for bone, shell in shells.items()}
    inner = {
        bone: Mesh(place(bone, shell.inner_thin.vertices), shell.inner_thin.faces) for bone, shell in shells.items()
    }
    return outer, inner


def parts(mesh: Mesh) -> int:
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(mesh.vertices),) * 2)
    return int(connected_components(graph, directed=False)[0])


def test_a_bone_is_sawn_off_at_a_plane_with_its_marrow():
    outer, marrow = {"bone": close(box(0.02))}, {"bone": close(box(0.01))}
    site = Site(skeleton().rest, outer, marrow, np.random.default_rng(1))
    site.cut("bone", np.array([0, 0, 0.005]), np.array([0, 0, 1.0]))
    assert volume(outer["bone"]) == pytest.approx(2e-6, rel=0.01)
    assert volume(marrow["bone"]) == pytest.approx(5e-7, rel=0.01)


def test_bones_of_a_child_end_in_plates_of_cartilage():
    outer, marrow = posed("radius_r", "2mc_r", "lunate_r")
    adult = {bone: volume(mesh) for bone, mesh in outer.items()}
    grow(outer, marrow, np.random.default_rng(1))
    assert {bone: parts(mesh) for bone, mesh in outer.items()} == {"radius_r": 3, "2mc_r": 2, "lunate_r": 1}
    assert [parts(marrow[bone]) for bone in ("radius_r", "2mc_r")] == [3, 2]
    for bone in ("radius_r", "2mc_r"):
        assert 0.85 * adult[bone] < volume(outer[bone]) < adult[bone]
        assert volume(marrow[bone]) < volume(outer[bone])


def test_one_bone_breaks_where_it_is_seen():
    outer, marrow = posed("radius_r", "ulna_r")
    whole = dict(outer)
    middle = whole["radius_r"].vertices.mean(0)
    fracture(outer, marrow, lambda points: np.linalg.norm(points - middle, axis=1) < 0.03, np.random.default_rng(1))
    (broken,) = (bone for bone in outer if outer[bone] is not whole[bone])
    assert (parts(outer[broken]), parts(marrow[broken])) == (2, 2)
    assert volume(outer[broken]) == pytest.approx(volume(whole[broken]), rel=0.02)


def test_no_bone_breaks_where_none_is_seen():
    outer, marrow = posed("radius_r")
    before = outer["radius_r"]
    fracture(outer, marrow, lambda points: np.zeros(len(points), bool), np.random.default_rng(1))
    assert outer["radius_r"] is before
