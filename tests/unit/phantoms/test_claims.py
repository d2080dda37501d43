"""What a phantom's header claims."""

import functools

import numpy as np
import pytest

from mskmodel.phantoms import NAMES, NEIGHBOURS, Phantom, render
from mskmodel.phantoms.claims import claim, named


@functools.cache
def first(name: str) -> Phantom:
    """Rendered once for all tests."""
    return render(name, 1)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_has_a_name_in_a_header(name):
    said = [claim(*named(name), "R", np.random.default_rng(seed)) for seed in range(9)]
    assert any(one.correct for one in said) and not all(one.correct for one in said)


@pytest.mark.parametrize("name", ["wrist", "lower_leg", "skull"])
def test_a_right_header_names_the_projection_that_was_taken(name):
    positions = {view.position for view in NEIGHBOURS[name]}
    assert "LATERAL" in positions and len(positions) == 2
    assert first(name).position in positions
    for position in positions:
        said = [claim(named(name)[0], position, "R", np.random.default_rng(seed)) for seed in range(9)]
        assert {one.view_position for one in said if one.correct} == {position}
