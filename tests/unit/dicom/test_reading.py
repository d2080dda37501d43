"""Radiographs read from DICOM, PNG and JPEG bytes, valid and damaged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import LOSSY
from mskmodel.dicom.reading import read_image, read_radiograph
from mskmodel.radiograph import Limits, NotClassifiable, Skipped, Undecodable
from tests.dicom_files import (
    COLUMNS,
    ROWS,
    SKIPPED,
    UNDECODABLE,
    DicomFile,
    edited,
    gradient,
    hostile_files,
    other_files,
    valid_files,
)
from tests.mutants import assert_survived

#: The subprocess below imports `tests` too.
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("file", valid_files(), ids=str)
def test_every_valid_radiograph_is_read_with_bright_as_dense(file: DicomFile) -> None:
    radiograph = read_radiograph(file.data)

    expected = gradient(radiograph.bits).astype(int)
    if "MONOCHROME1" in file.name:
        expected = 2**radiograph.bits - 1 - expected
    tolerance = 2**radiograph.bits // 64 if radiograph.transfer_syntax in LOSSY else 0
    assert radiograph.pixels.shape == (ROWS, COLUMNS)
    assert radiograph.pixels.dtype == np.uint16
    assert np.abs(radiograph.pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("file", valid_files(), ids=str)
def test_pixels_belong_to_the_caller(file: DicomFile) -> None:
    pixels = read_radiograph(file.data).pixels

    assert pixels.flags.writeable and pixels.flags.aligned and pixels.flags.c_contiguous


def test_the_header_values_that_a_label_is_compared_with_are_read() -> None:
    radiograph = read_radiograph(edited("header"))

    assert (radiograph.body_part, radiograph.view_position, radiograph.laterality) == ("KNEE", "LL", "R")
    assert radiograph.modality == "DX"
    assert radiograph.sop_class == uid.DigitalXRayImageStorageForPresentation
    assert radiograph.transfer_syntax == uid.ExplicitVRLittleEndian
    assert radiograph.bits == 12


def test_absent_header_values_are_empty() -> None:
    def strip(ds: Dataset) -> None:
        del ds.BodyPartExamined, ds.ViewPosition, ds.ImageLaterality

    radiograph = read_radiograph(edited("stripped", strip))

    assert (radiograph.body_part, radiograph.view_position, radiograph.laterality) == ("", "", "")


@pytest.mark.parametrize("file", (*other_files(), *hostile_files()), ids=str)
def test_everything_else_is_refused_with_a_reason(file: DicomFile) -> None:
    with pytest.raises(NotClassifiable) as caught:
        read_radiograph(file.data)

    assert isinstance(caught.value, {SKIPPED: Skipped, UNDECODABLE: Undecodable}[file.ending])
    assert file.reason in caught.value.reason


@pytest.mark.parametrize("file", (*other_files(), *hostile_files()), ids=str)
def test_reasons_are_one_line_without_patient_data(file: DicomFile) -> None:
    with pytest.raises(NotClassifiable) as caught:
        read_radiograph(file.data)

    reason = caught.value.reason
    assert 5 < len(reason) < 150 and reason.isprintable()
    assert not any(word in reason for word in ("Test", "Hidden", "SYNTHETIC"))


def test_bytes_that_are_no_uid_are_not_repeated_in_a_reason() -> None:
    video = next(file.data for file in other_files() if file.name == "MPEG-2")
    data = video.replace(b"1.2.840.10008.1.2.4.100\0", b"DOE^JOHN 1970-01-01     ", 1)

    with pytest.raises(Skipped, match="unsupported transfer syntax: one that the DICOM standard does not name"):
        read_radiograph(data)


def test_a_file_over_the_size_limit_is_skipped() -> None:
    data = edited("size")

    with pytest.raises(Skipped, match="over the size limit"):
        read_radiograph(data, Limits(max_file_bytes=len(data) - 1))
    with pytest.raises(Skipped, match="over the size limit"):
        read_radiograph(data, Limits(max_pixels=ROWS * COLUMNS - 1))


def test_implicit_vr_that_is_announced_as_explicit_is_read_and_named_rightly() -> None:
    data = edited("wrong vr", transfer_syntax=uid.ImplicitVRLittleEndian)
    mislabelled = data.replace(b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x14\x001.2.840.10008.1.2.1\0")
    group_length = int.from_bytes(data[140:144], "little") + 2
    mislabelled = mislabelled[:140] + group_length.to_bytes(4, "little") + mislabelled[144:]

    assert read_radiograph(mislabelled).transfer_syntax == uid.ImplicitVRLittleEndian


def test_sequences_of_undefined_length_are_skipped() -> None:
    def add_sequences(ds: Dataset) -> None:
        inner = Dataset()
        inner.Rows = 7
        inner.ReferencedImageSequence = [Dataset(), Dataset()]
        inner["ReferencedImageSequence"].is_undefined_length = True
        ds.ReferencedImageSequence = [inner]
        ds["ReferencedImageSequence"].is_undefined_length = True
        inner.is_undefined_length_sequence_item = True

    for transfer_syntax in (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian):
        data = edited("sequences", add_sequences, transfer_syntax=transfer_syntax)
        assert read_radiograph(data).pixels.shape == (ROWS, COLUMNS)


def test_a_sequence_of_unknown_vr_is_implicit_inside() -> None:
    data = edited("unknown")
    at = data.index(b"\x08\x00\x60\x00CS")  # before Modality
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x00\x01\x02\0\0\0AB" + b"\xfe\xff\x0d\xe0\0\0\0\0"
    unknown = b"\x08\x00\x51\x00UN\0\0\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0"

    assert read_radiograph(data[:at] + unknown + data[at:]).modality == "DX"


_FUZZ = """
import random
from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import NotClassifiable
from mskmodel.dicom.encoding import WRITABLE
from tests.dicom_files import edited
from tests.mutants import mutated
from tests.odd_files import data_set

for syntax in sorted(WRITABLE):
    for number in range(200):
        print(syntax, number, flush=True)
        # Every fourth has no File Meta Information.
        whole = edited("fuzz", transfer_syntax=syntax) if number % 4 else data_set("fuzz", syntax)
        pixels = max(whole.find(b"\\xe0\\x7f\\x10\\x00"), 132)
        chance = random.Random(f"{syntax} {number}")
        low, high = chance.choice(((132, len(whole)), (132, pixels + 1), (pixels, min(len(whole), pixels + 160))))
        try:
            read_radiograph(mutated(whole, chance, low, high, 133))
        except NotClassifiable:
            pass
"""


def test_mutated_files_neither_end_the_process_nor_raise_anything_else() -> None:
    assert_survived(_FUZZ)


def test_hostile_files_are_refused_in_little_memory() -> None:
    script = (
        "import resource; from mskmodel.dicom.reading import read_radiograph\n"
        "from mskmodel.radiograph import NotClassifiable; from tests.dicom_files import hostile_files\n"
        "files = hostile_files(); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for file in files:\n"
        "    try: read_radiograph(file.data)\n"
        "    except NotClassifiable: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )

    growth = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True, timeout=120)

    assert int(growth.stdout) < 100_000  # kilobytes


@pytest.mark.parametrize(
    ("name", "bits", "size"),
    [("RG1_UNCR.dcm", 15, (1955, 1841)), ("RG1_J2KR.dcm", 15, (1955, 1841)), ("RG3_UNCR.dcm", 10, (1760, 1760))],
)
def test_real_cr_files_are_read(name: str, bits: int, size: tuple[int, int]) -> None:
    radiograph = read_image(get_testdata_file(name, download=False))

    assert radiograph.bits == bits
    assert radiograph.pixels.shape == size


def test_air_is_dark_and_bone_is_bright_in_a_real_monochrome1_image() -> None:
    leg = read_image(get_testdata_file("RG3_UNCR.dcm", download=False)).pixels

    air, tibia = leg[100:600, 500:560], leg[100:600, 820:880]
    assert np.median(air) < 100
    assert np.median(tibia) > 400


def test_the_same_real_image_is_equal_uncompressed_and_in_jpeg_2000() -> None:
    native, compressed = (read_image(get_testdata_file(f"RG3_{kind}.dcm", download=False)) for kind in ("UNCR", "J2KR"))

    assert np.array_equal(native.pixels, compressed.pixels)


def _save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("file", "bits", "save"),
    [
        ("grey.png", 8, lambda path: _save(path, gradient(8).astype(np.uint8))),
        ("deep.png", 16, lambda path: _save(path, gradient(16))),
        ("colour.png", 8, lambda path: _save(path, gradient(8).astype(np.uint8), "RGB")),
        ("alpha.png", 8, lambda path: _save(path, gradient(8).astype(np.uint8), "LA")),
        ("palette.png", 8, lambda path: _save(path, gradient(8).astype(np.uint8), "P")),
        ("grey.jpg", 8, lambda path: _save(path, gradient(8).astype(np.uint8), quality=100)),
        ("colour.jpg", 8, lambda path: _save(path, gradient(8).astype(np.uint8), "RGB", quality=100)),
        ("progressive.jpg", 8, lambda path: _save(path, gradient(8).astype(np.uint8), quality=100, progressive=True)),
    ],
)
def test_png_and_jpeg_files_become_grey_radiographs(
    tmp_path: Path, file: str, bits: int, save: Callable[[Path], Path]
) -> None:
    radiograph = read_image(save(tmp_path / file))

    assert radiograph.bits == bits
    assert np.abs(radiograph.pixels.astype(int) - gradient(bits)).max() <= 2
    assert radiograph.sop_class == ""


def test_the_format_of_a_file_is_known_by_content_and_not_by_name(tmp_path: Path) -> None:
    (tmp_path / "dicom.png").write_bytes(edited("name"))

    assert read_image(tmp_path / "dicom.png").modality == "DX"


def test_a_damaged_png_file_is_undecodable(tmp_path: Path) -> None:
    whole = _save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (90, 90)).astype(np.uint8))
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:3000])

    with pytest.raises(Undecodable, match="damaged"):
        read_image(tmp_path / "half.png")


def test_a_png_file_over_the_size_limit_is_skipped(tmp_path: Path) -> None:
    picture = _save(tmp_path / "picture.png", gradient(8).astype(np.uint8))

    with pytest.raises(Skipped, match="over the size limit"):
        read_image(picture, Limits(max_pixels=100))
    with pytest.raises(Skipped, match="over the size limit"):
        read_image(picture, Limits(max_file_bytes=100))


def test_a_text_file_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")

    with pytest.raises(Undecodable, match="neither a DICOM file nor a picture"):
        read_image(tmp_path / "notes.txt")
