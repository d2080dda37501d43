"""Phantoms: what comes out of a seed."""

import functools

import numpy as np
import pytest

from mskmodel.phantoms import CLASSES, NAMES, Phantom, exposures, render
from mskmodel.phantoms.anatomy import skeleton


@functools.cache
def first(name: str) -> Phantom:
    """Rendered once for all tests."""
    return render(name, 1)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_renders_a_radiograph_with_something_on_it(name):
    phantom = first(name)
    assert phantom.pixels.dtype == np.uint16
    assert phantom.pixels.min() >= 0 and phantom.pixels.max() < 2**phantom.bits
    assert phantom.label == (name if name in CLASSES else "")
    assert phantom.shows == name
    assert min(phantom.pixels.shape) > 60
    assert np.ptp(np.percentile(phantom.pixels, (10, 90))) > 0.04 * np.ptp(phantom.pixels)


@pytest.mark.parametrize("name", ["knee_ap", "hand_lateral", "several_views"])
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


@pytest.mark.parametrize("name", ["ankle_ap", "knee_ap"])
def test_a_film_of_both_joints_is_wide_enough_for_them(name):
    (view,) = (view for view in CLASSES[name] if view.both)
    right, left = (skeleton().rest.joint(body) for body in view.landmark)
    narrowest = min(framing.height[0] * framing.aspect[0] for framing in view.framings)
    assert narrowest > 1.8 * np.linalg.norm(right - left)


def test_an_unknown_view_is_named_in_the_error():
    with pytest.raises(KeyError, match="knee_from_behind"):
        render("knee_from_behind", 1)


def test_the_right_side_of_the_patient_is_on_the_left_of_a_film_from_front_to_back():
    pose = skeleton().rest
    right = np.cross([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert (pose.joint("femur_r") - pose.joint("femur_l")) @ right < 0
