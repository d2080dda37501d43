"""Outlines are the display shutter's, or else the collimator's, where they fit the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import Radiograph
from tests.dicom_files import COLUMNS, ROWS, edited

DATA_SETS = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
MODULES = ("Shutter", "Collimator")


def rectangle(module: str, left: int, right: int, upper: int, lower: int) -> dict[str, Any]:
    edges = {"LeftVertical": left, "RightVertical": right, "UpperHorizontal": upper, "LowerHorizontal": lower}
    return {f"{module}Shape": "RECTANGULAR"} | {f"{module}{name}Edge": edge for name, edge in edges.items()}


def circle(module: str, row: int, column: int, radius: int) -> dict[str, Any]:
    return {
        f"{module}Shape": "CIRCULAR",
        f"CenterOfCircular{module}": [row, column],
        f"RadiusOfCircular{module}": radius,
    }


def polygon(module: str, *vertices: int) -> dict[str, Any]:
    return {f"{module}Shape": "POLYGONAL", f"VerticesOfThePolygonal{module}": list(vertices)}


def read(
    *shapes: dict[str, Any], syntax: str = uid.ExplicitVRLittleEndian, spacing: tuple[int, int] = (1, 1)
) -> Radiograph:
    def change(ds: Dataset) -> None:
        names: dict[str, list[str]] = {}
        for shape in shapes:
            for keyword, value in shape.items():
                if keyword.endswith("Shape"):
                    names.setdefault(keyword, []).append(value)
                else:
                    # Whatever text a file says.
                    ds.add_new(keyword, "LO" if isinstance(value, str) else "IS", value)
        for keyword, values in names.items():
            setattr(ds, keyword, values)
        ds.ImagerPixelSpacing = list(spacing)

    return read_radiograph(edited("outlines", change, transfer_syntax=syntax))


def shown(radiograph: Radiograph) -> NDArray[np.bool_]:
    """The pixels whose middles lie inside all outlines."""
    middles = np.stack(np.meshgrid((np.arange(COLUMNS) + 0.5) / COLUMNS, (np.arange(ROWS) + 0.5) / ROWS), axis=-1)
    inside = np.ones((ROWS, COLUMNS), bool)
    for outline in radiograph.outlines:
        assert outline.dtype == np.float32 and outline.ndim == 2 and outline.shape[1] == 2
        assert outline.min() >= 0 and outline.max() <= 1
        contour = outline.reshape(-1, 1, 2)
        for row, column in np.ndindex(ROWS, COLUMNS):
            point = middles[row, column].tolist()
            inside[row, column] &= cv2.pointPolygonTest(contour, point, measureDist=False) >= 0
    return inside


@pytest.mark.parametrize("syntax", DATA_SETS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("module", MODULES)
def test_a_rectangle_is_shown_with_its_edges(module: str, syntax: uid.UID) -> None:
    expected = np.zeros((ROWS, COLUMNS), bool)
    expected[9:60, 4:70] = True

    assert np.array_equal(shown(read(rectangle(module, 5, 70, 10, 60), syntax=syntax)), expected)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("radius", [30, 60])
@pytest.mark.parametrize("spacing", [(1, 1), (2, 1)], ids=["square pixels", "high pixels"])
def test_a_circle_is_round_on_the_film(spacing: tuple[int, int], radius: int, module: str) -> None:
    radiograph = read(circle(module, 50, 30, radius), spacing=spacing)

    rows, columns = np.indices((ROWS, COLUMNS)) + 1
    distance = np.hypot((rows - 50) * spacing[0] / spacing[1], columns - 30)
    inside = shown(radiograph)
    assert inside[distance < radius - 1].all() and not inside[distance > radius + 1].any()


@pytest.mark.parametrize("module", MODULES)
def test_a_polygon_has_rows_first(module: str) -> None:
    inside = shown(read(polygon(module, 1, 1, 1, COLUMNS, ROWS, 1)))

    assert inside[0].all() and inside[:, 0].all() and not inside[-1, 1:].any() and not inside[1:, -1].any()


def test_shapes_that_come_together_cut_each_other() -> None:
    rectangular, circular = rectangle("Shutter", 1, 40, 1, ROWS), circle("Shutter", 48, 40, 35)

    both = read(rectangular, circular)

    assert len(both.outlines) == 2
    assert np.array_equal(shown(both), shown(read(rectangular)) & shown(read(circular)))


def test_the_shutter_comes_before_the_collimator() -> None:
    shutter, collimator = rectangle("Shutter", 5, 70, 10, 60), rectangle("Collimator", 20, 50, 20, 70)

    assert np.array_equal(shown(read(shutter, collimator)), shown(read(shutter)))


NOTHING = {
    "the whole picture": rectangle("Shutter", 1, COLUMNS, 1, ROWS),
    "turned round": rectangle("Shutter", 70, 5, 10, 60),
    "empty": rectangle("Shutter", 0, 0, 0, 0),
    "of the detector, not the picture": rectangle("Shutter", 100, 2000, 100, 2000),
    "too small": rectangle("Shutter", 10, 20, 10, 20),
    "negative": rectangle("Shutter", -500, 60, -500, 60),
    "radius of nothing": circle("Shutter", 48, 40, 0),
    "small circle": circle("Shutter", 48, 40, 5),
    "circle elsewhere": circle("Shutter", 500, 500, 600),
    "circle around all": circle("Shutter", 48, 40, 2_000_000_000),
    "endless circle": circle("Shutter", 48, 40, 1) | {"RadiusOfCircularShutter": "1e308"},
    "two vertices": polygon("Shutter", 1, 1, 90, 70),
    "half a vertex": polygon("Shutter", 1, 1, 1, 70, 90, 70, 90),
    "a line": polygon("Shutter", 1, 1, 50, 40, 90, 80),
    "vertices elsewhere": polygon("Shutter", 1, 1, 1, 900, 900, 1),
    "huge vertices": polygon("Shutter", 1, 1, 1, 2_147_483_647, -2_147_483_648, 1),
    "no coordinates": {"ShutterShape": "RECTANGULAR"},
    "no such shape": rectangle("Shutter", 5, 70, 10, 60) | {"ShutterShape": "BITMAP"},
}


@pytest.mark.parametrize("shape", NOTHING.values(), ids=NOTHING)
def test_a_shape_that_does_not_fit_the_picture_does_not_count(shape: dict[str, Any]) -> None:
    collimator = rectangle("Collimator", 20, 50, 20, 70)

    assert read(shape).outlines == ()
    assert np.array_equal(shown(read(shape, collimator)), shown(read(collimator)))


def test_edges_that_are_a_little_outside_are_at_the_edge() -> None:
    assert np.array_equal(
        shown(read(rectangle("Shutter", 0, 40, 0, ROWS + 1))), shown(read(rectangle("Shutter", 1, 40, 1, ROWS)))
    )
