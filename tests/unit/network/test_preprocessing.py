"""One preprocessing: what it does to a radiograph, and how long it takes."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mskmodel.data.dataset import read_pictures
from mskmodel.data.labels_file import Labelled
from mskmodel.dicom.reading import read_image
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.radiograph import Radiograph
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.loop import Source, TrainingSettings, train
from mskmodel.versions.conversion import logits_of
from tests.drawn_pictures import a_radiograph


@pytest.mark.parametrize(
    ("rows", "columns"), [(300, 200), (200, 300), (2500, 2048), (100, 90), (1, 1), (3000, 5), (5, 3000)]
)
def test_any_shape_becomes_a_square_input_of_finite_values(rows: int, columns: int) -> None:
    tensor = Preprocessing()(a_radiograph(rows, columns))

    assert tensor.shape == (3, 224, 224)
    assert tensor.dtype == np.float32
    assert np.isfinite(tensor).all()


def test_the_aspect_is_kept_and_the_rest_is_black() -> None:
    picture = Preprocessing(field=False).frame(a_radiograph(1000, 500), size=224)

    assert (picture.rows, picture.columns) == (224, 112)
    assert not picture.values[:, :56].any()
    assert not picture.values[:, -56:].any()
    assert picture.values[:, 56:-56].mean() > 50


@pytest.mark.parametrize("value", [0, 1, 4095])
def test_an_image_of_one_grey_value_is_no_error(value: int) -> None:
    tensor = Preprocessing()(Radiograph(np.full((400, 300), value, np.uint16), 12))

    assert np.isfinite(tensor).all()


def test_bit_depth_and_exposure_make_no_difference() -> None:
    eight, sixteen = a_radiograph(900, 700, bits=8), a_radiograph(900, 700, bits=16)
    darker = Radiograph(sixteen.pixels // 3 + 500, 16)

    expected = Preprocessing()(sixteen)

    assert np.abs(Preprocessing()(eight) - expected).mean() < 0.05
    assert np.abs(Preprocessing()(darker) - expected).mean() < 0.01


def test_low_contrast_regions_are_enhanced() -> None:
    """A faint pattern in a dark corner of a picture whose middle is bright."""
    y, x = np.mgrid[0:224, 0:224] / 224
    bright = np.hypot(y - 0.5, x - 0.5) < 0.25
    plain = np.where(bright, 0.9, 0.2 + 0.02 * np.sin(60 * x)).astype(np.float32)

    enhanced = Preprocessing().enhance(plain)[0] * 0.229 + 0.485

    corner = np.s_[10:60, 10:60]
    assert enhanced[corner].std() > 1.5 * plain[corner].std()


@pytest.mark.parametrize(("rows", "columns"), [(900, 700), (400, 1100), (224, 224)])
def test_training_evaluation_and_serving_see_the_same_numbers(tmp_path: Path, rows: int, columns: int) -> None:
    radiograph = a_radiograph(rows, columns, bits=16)
    file = tmp_path / "radiograph.png"
    Image.fromarray(radiograph.pixels).save(file)
    pictures = read_pictures([Labelled(file, None)], ("one",), Preprocessing()).pictures
    unchanged = Augmentation(0, 0, 0, (1.0, 1.0), 0, 0, 0, 1.0, 0, 0, 0, 0, 0)
    settings = TrainingSettings(epochs=1, views=1, batch=1, augmentation=unchanged)
    seen: list[torch.Tensor] = []

    class Looking(AlexNet):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images.detach().clone())
            return super().forward(images)

    def looking() -> AlexNet:
        return Looking(Architecture(2, hidden=(8,)))

    train(looking(), [Source("one", pictures, 1.0)], Preprocessing(), settings)
    logits_of(looking().eval(), pictures, Preprocessing())
    classifier = Classifier("v", ("one",), looking(), Preprocessing(), Decision(), torch.device("cpu"))
    served = torch.from_numpy(classifier.prepare(read_image(file)))

    trained, evaluated = (images[0] for images in seen)
    torch.testing.assert_close(trained, served, rtol=0, atol=0)
    torch.testing.assert_close(evaluated, served, rtol=0, atol=0)


def test_a_look_is_zoomed_and_turned_as_much_as_it_says() -> None:
    values = np.zeros((1, 288, 288), np.uint8)
    values[0, 136:152, 200:216] = 255  # right of the middle
    extents = np.asarray([[288, 288]], np.int16)

    def at(**look: float) -> tuple[float, float]:
        """Offset of the bright square from the middle, to the right and up, as shares of the side."""
        bright = np.nonzero(Preprocessing().inputs(values, extents, **look)[0, 0] > 1.5)
        up, right = (np.mean(rows) / 223 - 0.5 for rows in bright)
        return float(right), float(-up)

    right, up = at()
    assert (right, up) == pytest.approx((64 / 288, 0), abs=0.005)
    assert at(zoom=1.5) == pytest.approx((1.5 * right, 0), abs=0.005)
    assert at(degrees=90) == pytest.approx((0, right), abs=0.005)
    assert at(zoom=0.5, degrees=-90) == pytest.approx((0, -right / 2), abs=0.005)


def test_parameters_survive_json() -> None:
    unusual = Preprocessing(size=256, window=(1.0, 99.0), clip_limit=0.02)

    assert Preprocessing.from_json(unusual.to_json()) == unusual
    with pytest.raises(ValueError, match="colour"):
        Preprocessing.from_json({"colour": True})


def test_five_megapixels_take_at_most_twenty_milliseconds_on_one_core() -> None:
    radiograph, preprocessing = a_radiograph(2560, 2048), Preprocessing()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def seconds() -> float:
        began = time.thread_time()
        preprocessing(radiograph)
        return time.thread_time() - began

    try:
        assert min(seconds() for _ in range(10)) <= 0.020
    finally:
        torch.set_num_threads(threads)


def test_the_input_is_not_changed() -> None:
    radiograph = a_radiograph(600, 500)
    before: NDArray[np.uint16] = radiograph.pixels.copy()

    Preprocessing()(radiograph)

    assert (radiograph.pixels == before).all()
