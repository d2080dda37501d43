"""The shape of a pixel is what the header says of it first, where that is plausible."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from mskmodel.dicom.reading import read_radiograph
from tests.dicom_files import edited

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


def aspect_of(**said: list[str]) -> float:
    def change(ds: Dataset) -> None:
        for keyword in SPACINGS:
            if keyword in ds:
                del ds[keyword]
            if keyword in said:
                # Whatever text a file says.
                ds.add_new(keyword, "LO", said[keyword])

    return read_radiograph(edited("aspect", change)).aspect


@pytest.mark.parametrize("keyword", SPACINGS)
def test_each_says_height_first(keyword: str) -> None:
    assert aspect_of(**{keyword: ["2", "1"]}) == 2
    assert aspect_of(**{keyword: ["1 ", "+4"]}) == 0.25


@pytest.mark.parametrize("first", range(3))
def test_the_first_of_them_counts(first: int) -> None:
    said = {keyword: ["3", "1"] for keyword in SPACINGS[first + 1 :]}

    assert aspect_of(**{SPACINGS[first]: ["0.2", "0.1"]}, **said) == 2


@pytest.mark.parametrize(
    "implausible",
    [
        ["0", "0"],
        ["0.1", "0"],
        ["-1", "-1"],
        ["-1", "2"],
        ["nan", "1"],
        ["inf", "1"],
        ["1e999", "1"],
        ["1e-300", "1e300"],
        ["9", "1"],
        ["1", "9"],
        ["a", "b"],
        ["2"],
        ["2", "1", "1"],
        [""],
    ],
    ids="/".join,
)
def test_what_cannot_be_does_not_count(implausible: list[str]) -> None:
    assert aspect_of(PixelSpacing=implausible) == 1
    assert aspect_of(PixelSpacing=implausible, PixelAspectRatio=["2", "1"]) == 2


def test_rounded_spacings_are_square() -> None:
    assert aspect_of(PixelSpacing=["0.1437", "0.1445"]) == 1
    assert aspect_of(PixelSpacing=["0.14", "0.15"]) == pytest.approx(0.9333, abs=1e-4)
    assert aspect_of() == 1
