"""The exposed field: borders of every kind are cut, and what is no border stays."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mskmodel.network.preprocessing import Picture, Preprocessing
from mskmodel.radiograph import Radiograph

ROWS, COLUMNS = 800, 600
BORDER = 200

Pixels = NDArray[np.uint16]


def anatomy(low: int = 600, high: int = 1800, rows: int = ROWS, columns: int = COLUMNS) -> Pixels:
    """A picture that fills its frame, of values between these, with no flat part."""
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    waves = 0.5 + 0.2 * np.sin(17 * x + 3 * y) * np.cos(13 * y) + 0.1 * (x - y)
    blotches = np.random.default_rng(1).normal(0, 0.12, (rows // 40, columns // 40))
    shades = waves + cv2.resize(blotches, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.clip(low + shades * (high - low), low, high).astype(np.uint16)


def framed(pixels: Pixels, *, field: bool = True, **header: object) -> Picture:
    return Preprocessing(field=field).frame(Radiograph(pixels, 12, **header))  # type: ignore[arg-type]


def difference(one: Picture, other: Picture) -> float:
    """Mean difference of two framed pictures, grey values 0..255."""
    return float(np.abs(one.values.astype(int) - other.values).mean())


def with_border(value: int, *sides: int) -> Callable[[Pixels], Pixels]:
    top, bottom, left, right = sides or (BORDER,) * 4
    return lambda pixels: np.pad(pixels, ((top, bottom), (left, right)), constant_values=value)


def near_constant(pixels: Pixels) -> Pixels:
    padded = with_border(100)(pixels)
    noise = np.random.default_rng(2).integers(0, 15, padded.shape, dtype=np.uint16)
    noise[BORDER:-BORDER, BORDER:-BORDER] = 0
    return padded + noise


def black_in_white(pixels: Pixels) -> Pixels:
    return with_border(4095, 150, 150, 150, 150)(with_border(0, 100, 60, 80, 0)(pixels))


def with_a_marker(pixels: Pixels) -> Pixels:
    padded = with_border(0)(pixels)
    padded[40:110, 50:90] = 4000
    return padded


@pytest.mark.parametrize(
    "bordered",
    [
        pytest.param(with_border(0), id="black"),
        pytest.param(with_border(4095), id="white"),
        pytest.param(with_border(1200), id="grey"),
        pytest.param(with_border(0, 0, 300, 0, 0), id="below"),
        pytest.param(with_border(4095, 0, 0, 90, 250), id="left and right"),
        pytest.param(with_border(0, 5, 5, 5, 5), id="narrow"),
        pytest.param(with_border(0, 1000, 1000, 1000, 1000), id="a twelfth is left"),
        pytest.param(near_constant, id="near-constant"),
        pytest.param(black_in_white, id="black in white"),
        pytest.param(with_a_marker, id="with a marker"),
    ],
)
def test_a_border_makes_next_to_no_difference(bordered: Callable[[Pixels], Pixels]) -> None:
    expected = framed(anatomy())

    assert (expected.rows, expected.columns) == (288, 216)
    assert difference(framed(bordered(anatomy())), expected) < 14


@pytest.mark.parametrize("shade", [0, 4095])
@pytest.mark.parametrize("degrees", [-12, -4, 4, 12])
def test_tilted_collimation_is_black_and_what_it_leaves_fills_the_frame(degrees: float, shade: int) -> None:
    turn = cv2.getRotationMatrix2D((COLUMNS / 2 + BORDER, ROWS / 2 + BORDER), degrees, 1)
    lit = cv2.warpAffine(
        np.pad(np.full((ROWS, COLUMNS), 255, np.uint8), BORDER), turn, (COLUMNS + 2 * BORDER, ROWS + 2 * BORDER)
    )
    whole = anatomy(rows=ROWS + 2 * BORDER, columns=COLUMNS + 2 * BORDER)
    picture = framed(np.where(lit > 127, whole, shade).astype(np.uint16))

    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    height, width = ROWS * cos + COLUMNS * sin, COLUMNS * cos + ROWS * sin
    assert picture.columns / picture.rows == pytest.approx(width / height, abs=0.03)
    left = (288 - picture.columns) // 2
    box = picture.values[:, left : left + picture.columns]
    assert not box[:8, :8].any()
    assert not box[-8:, -8:].any()
    # Nearly all of the rectangle is kept.
    assert (box > 0).mean() == pytest.approx(ROWS * COLUMNS / (height * width), abs=0.08)


def test_dark_hollows_and_bright_thick_parts_in_a_corner_stay() -> None:
    pixels = anatomy()
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    pixels[np.hypot(ROWS - y, COLUMNS - x) < 250] = 1800

    picture = framed(pixels)

    assert picture.rows == 288
    assert picture.columns == pytest.approx(216, abs=2)
    assert picture.values[-40:, 36 + 216 - 40 : 36 + 214].min() > 200


@pytest.mark.parametrize("where", [np.s_[:170, :170], np.s_[300:450, 200:350]], ids=["corner", "middle"])
@pytest.mark.parametrize("value", [4095, 0], ids=["white", "black"])
def test_what_saturates_does_not_set_the_window(value: int, where: tuple[slice, slice]) -> None:
    pixels = anatomy()
    pixels[where] = value

    picture, expected = framed(pixels), framed(anatomy())

    rest = np.ones((ROWS, COLUMNS), np.uint8)
    rest[where] = 0
    same = np.pad(cv2.resize(rest, (216, 288)) > 0, ((0, 0), (36, 36)))
    differences = np.abs(picture.values.astype(int) - expected.values)[same & (picture.values > 0)]
    assert np.percentile(differences, 95) < 12


@pytest.mark.parametrize("ratio", [2, 3])
def test_pixels_that_are_not_square_are_shown_in_their_true_aspect(ratio: int) -> None:
    expected = framed(anatomy())

    narrow = framed(np.repeat(anatomy(), ratio, axis=1), aspect=float(ratio))
    low = framed(np.repeat(anatomy(), ratio, axis=0), aspect=1 / ratio)

    for picture in (narrow, low):
        assert (picture.rows, picture.columns) == (expected.rows, expected.columns)
        assert difference(picture, expected) < 2


def test_outlines_of_the_header_are_cut_where_the_picture_shows_no_border() -> None:
    around = anatomy(rows=ROWS + 2 * BORDER, columns=COLUMNS + 2 * BORDER)[::-1].copy()
    around[BORDER:-BORDER, BORDER:-BORDER] = anatomy()
    x, y = BORDER / around.shape[1], BORDER / around.shape[0]
    outline = np.array([[x, y], [1 - x, y], [1 - x, 1 - y], [x, 1 - y]], np.float32)

    assert difference(framed(around, outlines=(outline,)), framed(anatomy())) < 8
    assert difference(framed(around), framed(anatomy())) > 10


@pytest.mark.parametrize(
    "outline",
    [
        [[0.4, 0.4], [0.41, 0.4], [0.41, 0.9]],
        [[0.1, 0.1], [0.9, 0.9], [0.1, 0.1]],
        [[0.5, 0.5], [0.5, 0.5]],
    ],
    ids=["next to nothing", "a line", "a point"],
)
def test_an_outline_that_leaves_next_to_nothing_does_not_count(outline: list[list[float]]) -> None:
    assert difference(framed(anatomy(), outlines=(np.array(outline, np.float32),)), framed(anatomy())) == 0


@pytest.mark.parametrize(
    ("rows", "columns", "outline"),
    [
        (40, 2, [[0.47, 0.08], [0.47, 0.69], [0.32, 0.61]]),
        (2, 161, [[0.29, 0.28], [0.99, 0.32], [0.06, 0.47]]),
        (1, 1, [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]),
    ],
)
def test_an_outline_between_the_middles_of_few_pixels_is_no_error(
    rows: int, columns: int, outline: list[list[float]]
) -> None:
    pixels = np.arange(rows * columns, dtype=np.uint16).reshape(rows, columns)

    picture = framed(pixels, aspect=3.2, outlines=(np.array(outline, np.float32),))

    assert 288 in (picture.rows, picture.columns)


def test_a_field_within_much_border_is_as_sharp_as_the_radiograph_is() -> None:
    fine = anatomy(rows=1600, columns=1200)
    fine[::8] = 1800  # lines that vanish where the picture is shrunk before it is cut

    alone, lost = framed(fine), framed(np.pad(fine, 2400))

    assert difference(lost, alone) < 12


def test_a_silhouette_of_one_grey_is_no_field() -> None:
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    silhouette = np.where(np.hypot(y - 400, x - 300) < 200, 3000, 0).astype(np.uint16)

    picture = framed(silhouette)

    assert (picture.rows, picture.columns) == (288, 216)
    assert (picture.values == 255).any()


def test_a_version_from_before_keeps_its_whole_pictures() -> None:
    before = Preprocessing().to_json()
    del before["field"]

    assert not Preprocessing.from_json(before).field
    assert Preprocessing.from_json(Preprocessing().to_json()).field
    assert Preprocessing(field=False).framing != Preprocessing().framing
