"""Path lengths of rays, and what they need."""

import numpy as np
import pytest

from mskmodel.phantoms import RenderingUnavailable, projection
from mskmodel.phantoms.tissue import Grid, surface


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
