"""Pictures for people: whole, upright in grey, small enough, and made without torch."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mskmodel.dicom.radiograph_kinds import BY_DEFAULT
from mskmodel.dicom.writing import write_dx
from mskmodel.network.framing import whole
from mskmodel.radiograph import Radiograph
from tests import dicom_files
from tests.drawn_pictures import a_radiograph
from workers.pictures.placeholder import placeholder
from workers.pictures.rendering import rendered


def opened(picture: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(picture)) as image:
        return np.asarray(image.convert("L"))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_bright_is_dense_whatever_the_polarity(photometric: str) -> None:
    stored = dicom_files.gradient(12)
    data = write_dx(stored, header=dicom_files.header("polarity"), bits=12, photometric=photometric)
    picture = opened(rendered(data, 1600, BY_DEFAULT)).astype(int)
    assert picture.shape == stored.shape  # not enlarged
    rises = picture[-1, -1] - picture[0, 0]
    assert rises < -200 if photometric == "MONOCHROME1" else rises > 200


def test_the_longest_side_has_the_size_and_the_aspect_is_true() -> None:
    radiograph = a_radiograph(800, 500)
    assert whole(radiograph, 192).shape == (192, 120)
    tall = Radiograph(radiograph.pixels, radiograph.bits, aspect=2.0)
    assert whole(tall, 192).shape == (192, 60)


def test_nothing_is_cut_and_the_window_is_that_of_the_exposed_field() -> None:
    radiograph = a_radiograph(600, 400)
    radiograph.pixels[:150] = 4095  # an unexposed border, far brighter than the rest
    picture = whole(radiograph, 600)
    assert picture.shape == (600, 400)
    assert picture[:140].min() == 255
    field = picture[160:]
    assert np.percentile(field, 99) - np.percentile(field, 1) > 150


def test_what_a_shutter_hides_is_black() -> None:
    half = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32)
    plain = a_radiograph(300, 200)
    picture = whole(Radiograph(plain.pixels, plain.bits, outlines=(half,)), 300)
    assert picture[:, 102:].max() == 0 < picture[:, :98].mean()


def test_a_child_needs_no_torch() -> None:
    wanted = "import sys, workers.pictures.child; print({'torch', 'torchvision', 'skimage'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", wanted], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_a_placeholder_says_its_reason_and_nothing_in_it_is_markup() -> None:
    said = placeholder('not a radiograph: <script>"Enhanced MR" & others that have a long name, longer than it should')
    assert b"<script>" not in said
    assert b"Not a radiograph:" in said
