"""Phantoms: what comes out of a seed, and what a folder of them holds."""

import csv
import functools
import subprocess
import sys

import numpy as np
import pytest
from pydicom import dcmread
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mskmodel.dicom.reading import read_radiograph
from mskmodel.labels import KEYS
from mskmodel.phantoms import CLASSES, NAMES, NEIGHBOURS, Phantom, RenderingUnavailable, exposures, projection, render
from mskmodel.phantoms.anatomy import skeleton
from mskmodel.phantoms.claims import claim, named
from mskmodel.phantoms.making import make
from mskmodel.phantoms.metal import Site
from mskmodel.phantoms.remeshing import Mesh, close, remesh
from mskmodel.phantoms.splitting import fracture, grow
from mskmodel.phantoms.tissue import Grid, surface
from mskmodel.phantoms.views import TURN


@functools.cache
def first(name: str) -> Phantom:
    """Rendered once for all tests."""
    return render(name, 1)


def volume(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def box(side: float) -> Mesh:
    """A cube without a lid."""
    low = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8).T * side
    sides = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5], [2, 3, 7], [2, 7, 6]]
    return Mesh(low, np.array([*sides, [0, 2, 6], [0, 6, 4]], np.int32))


def test_the_classes_are_the_labels():
    assert set(CLASSES) == set(KEYS)
    assert not set(CLASSES) & set(NEIGHBOURS)


def test_a_turn_through_all_views_has_each_class_twice_and_each_neighbour_once():
    assert sorted(TURN) == sorted([*CLASSES, *CLASSES, *NEIGHBOURS])


@pytest.mark.parametrize("name", NAMES)
def test_every_view_has_a_name_in_a_header(name):
    said = [claim(name, named(name)[1], "R", np.random.default_rng(seed)) for seed in range(9)]
    assert any(one.correct for one in said) and not all(one.correct for one in said)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_renders_a_radiograph_with_something_on_it(name):
    phantom = first(name)
    assert phantom.pixels.dtype == np.uint16
    assert phantom.pixels.min() >= 0 and phantom.pixels.max() < 2**phantom.bits
    assert phantom.label == (name if name in CLASSES else "")
    assert phantom.shows == name
    assert min(phantom.pixels.shape) > 60
    assert np.ptp(np.percentile(phantom.pixels, (10, 90))) > 0.04 * np.ptp(phantom.pixels)


@pytest.mark.parametrize("name", ["knee_ap", "hand_lateral"])
def test_the_same_seed_gives_the_same_pixels_and_another_seed_does_not(name):
    again, other = render(name, 1), render(name, 2)
    assert np.array_equal(again.pixels, first(name).pixels)
    assert again.claim == first(name).claim
    assert again.pixels.shape != other.pixels.shape or not np.array_equal(again.pixels, other.pixels)


def test_several_exposures_of_one_projection_begin_with_the_one_that_render_gives():
    one, other = exposures("knee_ap", 1, 2)
    assert np.array_equal(one.pixels, first("knee_ap").pixels)
    assert one.pixels.shape != other.pixels.shape or not np.array_equal(one.pixels, other.pixels)


def test_a_patient_keeps_the_side_from_visit_to_visit():
    sides = [phantom.side for phantom in exposures("elbow_lateral", 2, 6)]
    assert len(set(sides)) == 1 and sides[0] in "RL"


@pytest.mark.parametrize("name", ["wrist", "lower_leg", "skull"])
def test_a_right_header_names_the_projection_that_was_taken(name):
    positions = {view.position for view in NEIGHBOURS[name]}
    assert "LATERAL" in positions and len(positions) == 2
    assert first(name).position in positions
    for position in positions:
        said = [claim(name, position, "R", np.random.default_rng(seed)) for seed in range(9)]
        assert {one.view_position for one in said if one.correct} == {position}


@pytest.mark.parametrize("name", ["ankle_ap", "knee_ap"])
def test_a_film_of_both_joints_is_wide_enough_for_them(name):
    (view,) = (view for view in CLASSES[name] if view.both)
    right, left = (skeleton().rest.joint(body) for body in view.landmark)
    narrowest = min(framing.height[0] * framing.aspect[0] for framing in view.framings)
    assert narrowest > 1.8 * np.linalg.norm(right - left)


def test_without_the_renderer_a_job_still_begins_and_says_what_is_missing():
    blocked = "import sys; sys.modules.update(dict.fromkeys(('gvxrPython3', 'mujoco', 'myo_sim', 'manifold3d')))"
    code = "import workers.jobs.training_job; from mskmodel.phantoms import *; render('knee_ap', 1)"
    ran = subprocess.run([sys.executable, "-c", f"{blocked}; {code}"], capture_output=True, text=True, timeout=120)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("mskmodel.phantoms.requirements.RenderingUnavailable: phantoms need the extra `phantoms`")


def test_one_process_can_render_and_then_train():
    code = """
from mskmodel.phantoms import render
render("knee_ap", 1)
import torch
layer = torch.nn.Linear(2, 1)
optimiser = torch.optim.SGD(layer.parameters(), 0.1)
layer(torch.ones(1, 2)).sum().backward()
optimiser.step()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_an_unknown_view_is_named_in_the_error():
    with pytest.raises(KeyError, match="knee_from_behind"):
        render("knee_from_behind", 1)


def test_path_lengths_are_centimetres_with_the_top_row_first():
    grid = Grid.around(np.array([-0.06, -0.06, -0.06]), np.array([0.06, 0.06, 0.06]), 60)
    ball = surface(grid, np.linalg.norm(grid.points() - np.array([0, 0, 0.02]), axis=-1) - 0.03)
    down_y, up_z = np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    beam = projection.Beam(np.zeros(3), down_y, up_z, 1.0, 0.05, 0.2, 0.2, 100)
    crossed = projection.path_lengths(beam, {"ball": ball})["ball"]
    assert crossed.shape == (100, 100)
    assert crossed.max() == pytest.approx(6.0, abs=0.2)
    row, column = np.unravel_index(crossed.argmax(), crossed.shape)
    assert row == pytest.approx(40, abs=2)  # two centimetres above the middle, at two millimetres a pixel
    assert column == pytest.approx(50, abs=2)


def test_the_right_side_of_the_patient_is_on_the_left_of_a_film_from_front_to_back():
    pose = skeleton().rest
    right = np.cross([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert (pose.joint("femur_r") - pose.joint("femur_l")) @ right < 0


def test_a_box_without_a_lid_is_closed():
    open_box = box(0.02)
    assert volume(close(open_box)) == pytest.approx(8e-6, rel=0.01)


def test_a_remeshed_bone_keeps_its_volume_and_has_a_marrow_inside():
    shell = remesh(box(0.02), cortex_mm=2.0, shaft_mm=2.0)
    assert volume(shell.outer) == pytest.approx(8e-6, rel=0.1)
    assert 0 < volume(shell.inner_thick) < volume(shell.inner_thin) < volume(shell.outer)


def test_a_bone_is_sawn_off_at_a_plane_with_its_marrow():
    outer, marrow = {"bone": close(box(0.02))}, {"bone": close(box(0.01))}
    site = Site(skeleton().rest, outer, marrow, np.random.default_rng(1))
    site.cut("bone", np.array([0, 0, 0.005]), np.array([0, 0, 1.0]))
    assert volume(outer["bone"]) == pytest.approx(2e-6, rel=0.01)
    assert volume(marrow["bone"]) == pytest.approx(5e-7, rel=0.01)


def test_a_missing_display_is_an_error_that_names_the_package(monkeypatch):
    class NoDisplay:
        def __getattr__(self, name):
            def call(*_):
                if name == "createOpenGLContext":
                    raise RuntimeError("eglGetDisplay() failed")

            return call

    import gvxrPython3

    monkeypatch.setattr(gvxrPython3, "gvxr", NoDisplay())
    with pytest.raises(RenderingUnavailable, match="libgl1-mesa-dri") as caught:
        projection._renderer.__wrapped__()
    assert "eglGetDisplay() failed" in str(caught.value)


def test_a_folder_holds_readable_files_and_the_truth_about_them(tmp_path):
    told = []
    truth = make(tmp_path, 3, seed=5, workers=1, names=("elbow_ap", "wrist"), progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["shows"]) for row in rows] == [("elbow_ap",) * 2, ("", "wrist"), ("elbow_ap",) * 2]
    assert [row["file"] for row in rows] == [row.file for row in truth]
    for row in rows:
        radiograph = read_radiograph((tmp_path / row["file"]).read_bytes())
        assert np.array_equal(radiograph.pixels, render(row["shows"], int(row["file"].split("-")[1])).bright())


def test_visits_of_a_patient_share_the_patient_and_nothing_else(tmp_path):
    make(tmp_path, 3, seed=5, workers=1, names=("wrist", "elbow_ap"), visits=2)
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    headers = [dcmread(tmp_path / row["file"]) for row in rows]
    assert [row["shows"] for row in rows] == ["wrist", "wrist", "elbow_ap"]
    assert [header.PatientID for header in headers] == [row["patient"] for row in rows]
    first, second, other = headers
    assert first.PatientID == second.PatientID != other.PatientID
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert first.StudyDate != second.StudyDate
    assert first.PixelData != second.PixelData


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
