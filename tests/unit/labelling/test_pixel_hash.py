"""Copies of a picture have the same hash, and no other picture has it."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless, generate_uid

from mskmodel.dicom.reading import read_radiograph
from mskmodel.dicom.writing import Header, radiograph_dataset
from mskmodel.radiograph import Radiograph
from workers.labelling.pixel_hash import pixel_hash

PIXELS = np.random.default_rng(1).integers(0, 4096, (40, 24), dtype=np.uint16)


def radiograph(change: str = "", pixels: np.ndarray = PIXELS) -> Radiograph:
    """A file of these pixels as it is read, with some change that leaves them alone."""
    ds = radiograph_dataset(pixels, header=Header(identity="a", study="s", patient_id="P-1"), bits=12)
    if change == "compressed":
        ds = _reread(ds)
        ds.compress(RLELossless)
    elif change == "another patient's":
        ds.PatientID, ds.SOPInstanceUID = "P-2", generate_uid()
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return read_radiograph(_written(ds))


def _written(ds: Dataset) -> bytes:
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _reread(ds: Dataset) -> Dataset:
    return dcmread(BytesIO(_written(ds)))


@pytest.mark.parametrize("change", ["compressed", "another patient's"])
def test_a_copy_has_the_same_hash(change: str) -> None:
    assert pixel_hash(radiograph(change)) == pixel_hash(radiograph())


def test_other_pixels_or_another_size_have_another_hash() -> None:
    one_off = PIXELS.copy()
    one_off[20, 12] ^= 1
    pictures = [radiograph(pixels=each) for each in (PIXELS, one_off, PIXELS.reshape(24, 40), PIXELS[:, ::-1].copy())]
    hashes = [pixel_hash(each) for each in pictures]
    assert len(set(hashes)) == len(hashes)
    assert all(len(each) == 32 for each in hashes)


def test_a_picture_of_one_value_has_none() -> None:
    assert pixel_hash(radiograph(pixels=np.full((40, 24), 7, np.uint16))) == ""
