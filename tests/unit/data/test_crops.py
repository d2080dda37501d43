"""Crops of radiographs: cut where the list says, with their radiograph's number; wrong lists are refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mskmodel.data.crops import read_crops
from mskmodel.tables.problems import TableError

CLASSES = ("knee_ap", "ankle_ap")
HEADER = "file,label,left,top,right,bottom\n"


def listed(tmp_path: Path, rows: str) -> Path:
    """A list beside two radiographs of 200 x 400 pixels: one dark above and bright below, one all grey."""
    halves = np.zeros((400, 200), np.uint8)
    slope = np.linspace(110, 245, 200) + np.random.default_rng(0).normal(0, 6, (200, 200))
    halves[200:] = slope.clip(100, 255)  # noise: the flat end of a slope is a border
    Image.fromarray(halves).save(tmp_path / "leg.png")
    Image.new("L", (200, 400), 90).save(tmp_path / "arm.png")
    path = tmp_path / "crops.csv"
    path.write_text(rows)
    return path


def test_a_crop_is_cut_out_and_windowed_alone(tmp_path: Path) -> None:
    path = listed(tmp_path, HEADER + "leg.png,ankle_ap,0,.5,1,1\nother.png,knee_ap,0,0,1,1\nleg.png,none,0,0,.5,.5\n")

    crops = read_crops(path, tmp_path, ["arm.png", "leg.png"], CLASSES)

    assert crops.parents.tolist() == [1, 1]
    assert crops.orphans == (tmp_path / "other.png",)
    assert crops.pictures.labels.tolist() == [1, 2]
    square, upright = crops.pictures.extents
    assert square[0] == square[1]
    assert upright[0] == 2 * upright[1]
    lower = crops.pictures.values[0]
    assert lower[:, 4].mean() < 35  # of its own greys, the darkest
    assert lower[:, -5].mean() > 220
    assert not crops.pictures.values[1].any()


def test_the_smallest_crop_is_a_pixel(tmp_path: Path) -> None:
    crops = read_crops(listed(tmp_path, HEADER + "arm.png,none,.9999,.9999,1,1\n"), tmp_path, ["arm.png"], CLASSES)
    assert len(crops.pictures) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("file,label\nleg.png,knee_ap\n", "names no left and top"),
        (HEADER + "leg.png,knee_ap,a,0,1,1\n", "line 2.*numbers"),
        (HEADER + "leg.png,knee_ap,0,0,1\n", "line 2.*number of fields"),
        (HEADER + "leg.png,knee_ap,.5,0,.5,1\n", "line 2.*numbers: 0 <= left"),
        (HEADER + "leg.png,knee_ap,0,0,1,1.5\n", "line 2.*numbers: 0 <= left"),
        (HEADER + "leg.png,knee_ap,0,nan,1,1\n", "line 2.*numbers: 0 <= left"),
        (HEADER + "leg.png,nose,0,0,1,1\n", "line 2: the label is not among the classes"),
        (HEADER + "leg.png,knee_ap,0,0,1,1\nleg.png,none,0,0,1,1.0\n", "line 3: names the same crop as line 2"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        read_crops(listed(tmp_path, rows), tmp_path, ["leg.png"], CLASSES)
