"""Files are read as Orthanc and viewers read them: the data set decides, not what is announced before it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import DataElement, uid
from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from mskmodel.dicom.reading import read_image, read_radiograph
from mskmodel.dicom.scan import is_dicom
from mskmodel.radiograph import Skipped, Undecodable
from tests.dicom_files import COLUMNS, ROWS, DicomFile, edited, gradient
from tests.odd_files import DATA_SETS, PREAMBLE, data_set, odd_files, with_meta


@pytest.mark.parametrize("file", odd_files(), ids=str)
def test_odd_files_are_read(file: DicomFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(file.data)

    for radiograph in (read_radiograph(file.data), read_image(tmp_path / "file")):
        assert np.array_equal(radiograph.pixels, gradient(12))
        assert radiograph.sop_class == uid.DigitalXRayImageStorageForPresentation
        assert (radiograph.modality, radiograph.body_part) == ("DX", "KNEE")
        assert radiograph.note == ""


def test_the_transfer_syntax_is_the_one_that_the_data_are_in() -> None:
    for name, syntax in DATA_SETS.items():
        assert read_radiograph(data_set(name, syntax)).transfer_syntax == syntax
        assert read_radiograph(with_meta(data_set(name, syntax), uid.ExplicitVRLittleEndian)).transfer_syntax == syntax


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.RLELossless, uid.ExplicitVRLittleEndian])
def test_what_else_is_known_of_a_file_without_meta_header_counts(syntax: str) -> None:
    bare = data_set("known", syntax)

    assert read_radiograph(bare, transfer_syntax=syntax).transfer_syntax == syntax
    # Orthanc knows a compressed file without meta header as an uncompressed one.
    assert read_radiograph(bare, transfer_syntax=uid.ExplicitVRLittleEndian).transfer_syntax == syntax
    with pytest.raises(Skipped, match="unsupported transfer syntax: MPEG2"):
        read_radiograph(bare, transfer_syntax=uid.MPEG2MPML)


@pytest.mark.parametrize("meta", [uid.DigitalXRayImageStorageForPresentation, "2.25.1"])
def test_a_data_set_of_another_class_is_no_radiograph_whatever_the_meta_header_says(meta: str) -> None:
    def make_ct(ds: Dataset) -> None:
        ds.SOPClassUID, ds.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage, uid.UID(meta)

    with pytest.raises(Skipped, match="not a radiograph: CT Image Storage"):
        read_radiograph(edited("ct", make_ct))


def test_the_meta_header_decides_where_the_data_set_names_no_class() -> None:
    def drop(ds: Dataset) -> None:
        del ds.SOPClassUID
        ds.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage

    with pytest.raises(Skipped, match="not a radiograph: CT Image Storage"):
        read_radiograph(edited("no class", drop))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100",
        bytes(5000),
        b"file,label\nknee.dcm,knee_ap\n" * 50,
        b"%PDF-1.7\n" + bytes(range(256)) * 20,
        b"PK\x03\x04" + bytes(3000),
        b"\x08\x00" * 3000,
        b"\x02\x00\x00\x00" * 1500,
        np.random.default_rng(0).bytes(5000),
        *(np.random.default_rng(number).bytes(200)[:1] + bytes(4000) for number in range(20)),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_other_files_are_not_taken_for_dicom(data: bytes) -> None:
    assert not is_dicom(data)
    with pytest.raises(Undecodable, match="not a DICOM file"):
        read_radiograph(data)


def test_native_pixel_data_of_undefined_length_are_refused() -> None:
    data = edited("undefined")
    at = data.index(b"\xe0\x7f\x10\x00OW") + 8

    with pytest.raises(Undecodable, match="not stored in the way"):
        read_radiograph(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])


def test_a_preamble_alone_is_no_file() -> None:
    with pytest.raises(Undecodable, match="no data set"):
        read_radiograph(PREAMBLE)


ITEM = b"\xfe\xff\x00\xe0"


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, "1.2.840.113619.5.2"])
def test_a_transfer_syntax_that_cannot_be_read_is_skipped_and_not_guessed(syntax: str) -> None:
    with pytest.raises(Skipped, match="unsupported transfer syntax"):
        read_radiograph(with_meta(data_set("unreadable", uid.ImplicitVRLittleEndian), syntax))


@pytest.mark.parametrize("keyword", ["HighBit", "PixelRepresentation", "SamplesPerPixel"])
@pytest.mark.parametrize("value", [None, "absent"])
def test_what_orthanc_does_without_is_not_missed(keyword: str, value: str | None) -> None:
    def change(ds: Dataset) -> None:
        if value is None:
            setattr(ds, keyword, None)
        else:
            delattr(ds, keyword)

    assert np.array_equal(read_radiograph(edited(f"{keyword} {value}", change)).pixels, gradient(12))


@pytest.mark.parametrize("said", ["monochrome1", "Monochrome2"])
def test_small_letters_in_the_photometric_interpretation_are_as_good(said: str) -> None:
    def change(ds: Dataset) -> None:
        ds["PhotometricInterpretation"] = DataElement("PhotometricInterpretation", "CS", said, validation_mode=IGNORE)

    expected = 4095 - gradient(12) if said.endswith("1") else gradient(12)
    assert np.array_equal(read_radiograph(edited(said, change)).pixels, expected)


FRAMES = [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLosslessSV1]


@pytest.mark.parametrize("frames_said", [None, 1])
@pytest.mark.parametrize("syntax", [*FRAMES, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda syntax: syntax.name)
def test_of_surplus_frames_the_first_is_read_and_they_are_said(syntax: uid.UID, frames_said: int | None) -> None:
    def add_frames(ds: Dataset) -> None:
        if frames_said:
            ds.NumberOfFrames = frames_said
        if syntax.is_encapsulated:
            first = next(generate_frames(ds.PixelData, number_of_frames=1))
            other = next(generate_frames(_inverted(syntax), number_of_frames=1))
            ds.PixelData = encapsulate([first, other, other])
        else:
            ds.PixelData += bytes(2 * len(ds.PixelData))

    radiograph = read_radiograph(edited("surplus", add_frames, transfer_syntax=syntax))

    assert np.array_equal(radiograph.pixels, gradient(12))
    assert radiograph.note == "the pixel data hold 3 frames where the header announces one: the first was read"


def _inverted(syntax: str) -> bytes:
    from mskmodel.dicom.encoding import encode_pixels

    return encode_pixels(4095 - gradient(12), bits=12, transfer_syntax=syntax)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("surplus", [1, 2, 512, 2 * ROWS * COLUMNS - 2])
def test_padding_behind_the_pixels_is_no_surplus(syntax: str, surplus: int) -> None:
    def pad(ds: Dataset) -> None:
        ds.PixelData += bytes(surplus)

    assert read_radiograph(edited("padded", pad, transfer_syntax=syntax)).note == ""


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless])
@pytest.mark.parametrize("table", ["none", "wrong", "extended", "several fragments", "empty fragment", "no delimiter"])
def test_a_frame_is_found_whatever_its_fragments_and_offset_table(syntax: str, table: str) -> None:
    def change(ds: Dataset) -> None:
        frame = next(generate_frames(ds.PixelData, number_of_frames=1))
        match table:
            case "none":
                ds.PixelData = encapsulate([frame], has_bot=False)
            case "wrong":
                ds.PixelData = encapsulate([frame]).replace(struct.pack("<II", 4, 0), struct.pack("<II", 4, 12345), 1)
            case "extended":
                ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended([frame])
            case "several fragments":
                ds.PixelData = encapsulate([frame], fragments_per_frame=7, has_bot=False)
            case "empty fragment":
                ds.PixelData = ITEM + bytes(4) + ITEM + bytes(4) + encapsulate([frame], has_bot=False)[8:]
            case "no delimiter":
                ds.PixelData = encapsulate([frame], has_bot=False)

    data = edited(f"fragments {table}", change, transfer_syntax=syntax)
    if table == "no delimiter":
        data = data.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0")

    radiograph = read_radiograph(data)
    assert np.array_equal(radiograph.pixels, gradient(12))
    assert radiograph.note == ""


def test_a_deflated_data_set_in_a_zlib_wrapper_is_read() -> None:
    wrapped = zlib.compress(data_set("zlib"))

    assert read_radiograph(with_meta(wrapped, uid.DeflatedExplicitVRLittleEndian)).bits == 12


@pytest.mark.parametrize("allocated", [8, 16])
def test_an_ambiguous_value_of_the_other_sign_changes_nothing(allocated: int) -> None:
    def pad(ds: Dataset) -> None:
        ds.add_new("PixelPaddingValue", "SS", -2000)
        ds.add_new("SmallestImagePixelValue", "US", 65000)

    data = edited("padding value", pad, bits=12 if allocated == 16 else 8)
    assert read_radiograph(data).bits == (12 if allocated == 16 else 8)
