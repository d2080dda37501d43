"""Pixel padding around a picture is black, whatever value it has in the file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import LOSSY, WRITABLE, encode_pixels
from mskmodel.dicom.reading import read_radiograph
from tests.dicom_files import bits_for, edited
from tests.lookup_tables import lookup_table

ROWS, COLUMNS, MARGIN = 60, 50, 12
LOSSLESS = sorted(WRITABLE - set(LOSSY))


def picture(bits: int) -> NDArray[np.int64]:
    """A picture in the middle of its range, (rows, columns) of 0..2**bits-1."""
    slope = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)) / (ROWS + COLUMNS)
    return np.round((0.2 + 0.5 * slope) * 2**bits).astype(np.int64)


def framed(bits: int, padding: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """The same with a margin of padding."""
    found = np.full((ROWS, COLUMNS), padding)
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    found[inside] = picture(bits)[inside]
    return found


def with_pixels(
    numbers: NDArray[np.int64],
    change: Callable[[Dataset], None],
    *,
    bits: int = 12,
    signed: bool = False,
    syntax: str = uid.ExplicitVRLittleEndian,
) -> bytes:
    """A DX file of these numbers (``signed``: minus half of the range)."""
    cells = (numbers - (2 ** (bits - 1) if signed else 0)) & (2**bits - 1)

    def fill(ds: Dataset) -> None:
        ds.Rows, ds.Columns = numbers.shape
        ds.PixelRepresentation = int(signed)
        kind = np.uint8 if bits <= 8 else np.uint16
        ds.PixelData = encode_pixels(cells.astype(kind), bits=bits, transfer_syntax=syntax)
        change(ds)

    return edited("padding", fill, bits=bits, transfer_syntax=syntax)


def declared(ds: Dataset, value: int, limit: int | None = None) -> None:
    vr = "SS" if ds.PixelRepresentation else "US"
    ds.add_new("PixelPaddingValue", vr, value)
    if limit is not None:
        ds.add_new("PixelPaddingRangeLimit", vr, limit)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: uid.UID(syntax).name)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("high", [False, True], ids=["low", "high"])
def test_padding_is_black_in_every_lossless_syntax(high: bool, photometric: str, syntax: str) -> None:
    bits = bits_for(syntax)
    value = 2**bits - 1 if high else 0

    def change(ds: Dataset) -> None:
        ds.PhotometricInterpretation = photometric
        declared(ds, value)

    pixels = read_radiograph(with_pixels(framed(bits, value), change, bits=bits, syntax=syntax)).pixels

    shown = 2**bits - 1 - picture(bits) if photometric == "MONOCHROME1" else picture(bits)
    expected = np.zeros_like(shown)
    expected[MARGIN:-MARGIN, MARGIN:-MARGIN] = shown[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("inverted", [False, True], ids=["rising", "falling"])
def test_its_value_has_the_sign_of_the_pixels(inverted: bool, share: float, signed: bool, bits: int) -> None:
    value = round(share * (2**bits - 1))

    def change(ds: Dataset) -> None:
        ds.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
        declared(ds, value - (2 ** (bits - 1) if signed else 0))

    pixels = read_radiograph(with_pixels(framed(bits, value), change, bits=bits, signed=signed)).pixels

    assert not pixels[:MARGIN].any() and not pixels[:, -MARGIN:].any()
    inside = (pixels ^ (2**bits - 1) if inverted else pixels)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert np.array_equal(inside, picture(bits)[MARGIN:-MARGIN, MARGIN:-MARGIN])


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("turned", [False, True], ids=["value below limit", "value above limit"])
def test_a_range_counts_with_both_ends(turned: bool, signed: bool) -> None:
    low, high, half = 3900, 4000, 2048 if signed else 0
    margin = np.random.default_rng(0).integers(low, high + 1, (ROWS, COLUMNS))
    numbers = framed(12, margin)
    numbers[0, :4] = low, high, low - 1, high + 1
    ends = (high, low) if turned else (low, high)

    pixels = read_radiograph(
        with_pixels(numbers, lambda ds: declared(ds, ends[0] - half, ends[1] - half), signed=signed)
    ).pixels

    assert pixels[0, :4].tolist() == [0, 0, low - 1, high + 1]
    pixels[0, 2:4] = 0
    assert not pixels[:MARGIN].any() and not pixels[:, :MARGIN].any()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_range_that_begins_at_black_is_black(photometric: str) -> None:
    ends = (4095, 4000) if photometric == "MONOCHROME1" else (0, 95)
    margin = np.random.default_rng(0).integers(min(ends), max(ends) + 1, (ROWS, COLUMNS))

    def change(ds: Dataset) -> None:
        ds.PhotometricInterpretation = photometric
        declared(ds, *ends)

    pixels = read_radiograph(with_pixels(framed(12, margin), change)).pixels

    assert not pixels[:MARGIN].any() and not pixels[:, -MARGIN:].any()


def test_the_same_value_inside_the_picture_is_its_own() -> None:
    value = int(picture(12)[ROWS // 2, COLUMNS // 2])

    whole = read_radiograph(with_pixels(picture(12), lambda ds: declared(ds, value))).pixels
    margin = read_radiograph(with_pixels(framed(12, value), lambda ds: declared(ds, value))).pixels

    diagonal = picture(12) == value
    assert diagonal.sum() > 20
    assert (whole[1:-1, 1:-1] == picture(12)[1:-1, 1:-1]).all()
    assert not margin[:MARGIN].any() and margin[ROWS // 2, COLUMNS // 2] == value


def test_a_value_that_the_edge_does_not_have_is_nowhere_padding() -> None:
    numbers = picture(12)
    numbers[20:30, 20:30] = 4095

    assert np.array_equal(read_radiograph(with_pixels(numbers, lambda ds: declared(ds, 4095))).pixels, numbers)


@pytest.mark.parametrize("limit", [None, 0, 4095])
def test_padding_that_leaves_nothing_is_none(limit: int | None) -> None:
    numbers = picture(12) if limit is not None else np.full((ROWS, COLUMNS), 900)
    value = 900 if limit is None else 4095 - limit

    assert np.array_equal(read_radiograph(with_pixels(numbers, lambda ds: declared(ds, value, limit))).pixels, numbers)


def test_bits_outside_bits_stored_do_not_count() -> None:
    """Old files say 65535 where the samples have 12 bits, as the cells around them do."""
    pixels = read_radiograph(with_pixels(framed(12, 4095), lambda ds: declared(ds, 65535))).pixels

    assert not pixels[:MARGIN].any()


def test_padding_does_not_go_through_the_tables() -> None:
    entries = np.arange(4096)[::-1] // 4

    def change(ds: Dataset) -> None:
        declared(ds, 0)
        ds.VOILUTSequence = [lookup_table(entries, bits=10)]

    pixels = read_radiograph(with_pixels(framed(12, 0), change)).pixels

    assert not pixels[:MARGIN].any()
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert np.array_equal(pixels[inside], entries[picture(12)][inside])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2)])
def test_the_smallest_pictures(shape: tuple[int, int]) -> None:
    numbers = np.arange(shape[0] * shape[1]).reshape(shape) + 1

    pixels = read_radiograph(with_pixels(numbers, lambda ds: declared(ds, 2))).pixels

    assert np.array_equal(pixels, np.where(numbers == 2, 0, numbers))
