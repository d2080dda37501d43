"""Pictures of a hold-out that are kept with a version."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mskmodel.versions.kept_pictures import PICTURES, SIDE, kept_picture, packed


def grey(row: int) -> NDArray[np.uint8]:
    return np.full((256, 200), 40 * row + 20, np.uint8)


def test_a_picture_is_found_by_its_identifier_and_is_small(tmp_path: Path) -> None:
    (tmp_path / PICTURES).write_bytes(packed(["a", "b"], grey))

    found = kept_picture(tmp_path, "b")

    assert found is not None
    image = Image.open(BytesIO(found))
    assert (image.format, max(image.size)) == ("WEBP", SIDE)
    assert abs(int(np.asarray(image.convert("L")).mean()) - 60) < 4


def test_the_same_picture_twice_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / PICTURES).write_bytes(packed(["a", "a"], grey))

    assert zipfile.ZipFile(tmp_path / PICTURES).namelist() == ["a"]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert kept_picture(tmp_path, "a") is None
    (tmp_path / PICTURES).write_bytes(b"no archive")
    assert kept_picture(tmp_path, "a") is None
    (tmp_path / PICTURES).write_bytes(packed(["a"], grey))
    assert kept_picture(tmp_path, "../model.json") is None
