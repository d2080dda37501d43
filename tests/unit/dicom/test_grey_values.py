"""Grey values are those of a viewer: polarity, slope and lookup tables, in every encoding and depth."""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import LOSSY, WRITABLE
from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import Radiograph
from tests.dicom_files import as_stored, bits_for, edited, gradient
from tests.lookup_tables import curve, lookup_table

DATA_SETS = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
DEPTHS = (8, 10, 12, 14, 16)
#: Photometric Interpretation, Presentation LUT Shape, and whether low values are bright.
POLARITIES = (
    ("MONOCHROME1", None, True),
    ("MONOCHROME1", "INVERSE", True),
    ("MONOCHROME1", "IDENTITY", True),
    ("MONOCHROME2", None, False),
    ("MONOCHROME2", "IDENTITY", False),
    ("MONOCHROME2", "INVERSE", True),
)
#: Slopes, and whether they turn black and white round. The last ones are none.
SLOPES = (("1", False), ("0.25", False), ("-1", True), ("-0.5", True), ("0", False), ("NaN", False), ("a", False))


def make_signed(ds: Dataset, bits: int) -> None:
    ds.PixelRepresentation = 1
    ds.PixelData = (gradient(bits).astype(np.int32) - 2 ** (bits - 1)).astype(f"<i{ds.BitsAllocated // 8}").tobytes()


def polarised(ds: Dataset, photometric: str, shape: str | None, slope: str = "1") -> None:
    ds.PhotometricInterpretation = photometric
    del ds.PresentationLUTShape
    if shape is not None:
        ds.PresentationLUTShape = shape
    # Whatever text a file says.
    ds.add_new("RescaleSlope", "DS" if slope[-1].isdigit() else "LO", slope)
    ds.RescaleIntercept = "-100"


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(("photometric", "shape", "inverted"), POLARITIES)
@pytest.mark.parametrize(("slope", "turned"), SLOPES)
def test_bright_is_dense_whatever_says_so(
    photometric: str, shape: str | None, inverted: bool, slope: str, turned: bool, signed: bool, bits: int
) -> None:
    def change(ds: Dataset) -> None:
        polarised(ds, photometric, shape, slope)
        if signed:
            make_signed(ds, bits)

    radiograph = read_radiograph(edited("polarity", change, bits=bits))

    expected = gradient(bits)
    if inverted != turned:
        expected = 2**bits - 1 - expected
    assert radiograph.bits == bits
    assert np.array_equal(radiograph.pixels, expected)


@pytest.mark.parametrize("syntax", sorted(WRITABLE), ids=lambda syntax: uid.UID(syntax).name)
@pytest.mark.parametrize(("photometric", "shape", "inverted"), POLARITIES)
def test_polarity_is_the_same_in_every_transfer_syntax(
    photometric: str, shape: str | None, inverted: bool, syntax: str
) -> None:
    radiograph = read_radiograph(
        edited("polarity", lambda ds: polarised(ds, photometric, shape), transfer_syntax=syntax)
    )

    most = 2 ** bits_for(syntax) - 1
    expected = gradient(bits_for(syntax)).astype(int)
    tolerance = most // 64 if syntax in LOSSY else 0
    assert np.abs(radiograph.pixels - (most - expected if inverted else expected)).max() <= tolerance


@pytest.mark.parametrize("syntax", DATA_SETS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("undefined", [False, True], ids=["length", "delimiter"])
@pytest.mark.parametrize("out", [8, 10, 12, 16])
def test_a_table_is_applied_however_it_is_written(
    out: int, undefined: bool, vr: str, keyword: str, syntax: uid.UID
) -> None:
    entries = curve(4096, out)
    item = lookup_table(entries, bits=out, vr=vr, big_endian=syntax == uid.ExplicitVRBigEndian)

    def change(ds: Dataset) -> None:
        setattr(ds, keyword, [item, lookup_table(entries[::-1])])
        ds[keyword].is_undefined_length = item.is_undefined_length_sequence_item = undefined

    radiograph = read_radiograph(edited("table", change, transfer_syntax=syntax))

    assert radiograph.bits == out and radiograph.note == ""
    assert np.array_equal(radiograph.pixels, entries[gradient(12)])


def test_a_table_in_a_sequence_of_unknown_representation_is_applied() -> None:
    """What a server makes of a sequence that it does not know: UN of undefined length, implicit inside."""
    entries = curve(4096, 12)
    words = entries.astype("<u2").tobytes()
    descriptor = b"\x28\x00\x02\x30\x06\0\0\0" + np.array([4096, 0, 12], "<u2").tobytes()
    item = descriptor + b"\x28\x00\x06\x30" + len(words).to_bytes(4, "little") + words
    whole = b"\x28\0\x10\x30UN\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + item
    whole += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    data = edited("unknown")
    at = data.index(b"\x28\0\x10\x21CS")  # after the windows

    radiograph = read_radiograph(data[:at] + whole + data[at:])

    assert np.array_equal(radiograph.pixels, entries[gradient(12)])


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("slope", [None, "-2"])
def test_inputs_are_numbers_and_outside_the_table_its_ends_count(slope: str | None, signed: bool, bits: int) -> None:
    half, count = 2 ** (bits - 1), 2 ** (bits - 2)
    numbers = gradient(bits).astype(int) - (half if signed else 0)
    entries = curve(count, 12)
    # The middle of the inputs.
    modality = numbers if slope is None else -2 * numbers + 7
    first = int(modality.min() + modality.max()) // 2 - count // 2
    if not -(2**15) <= first < 2**15:
        first = -(2**15) if first < 0 else 2**16 - count

    def change(ds: Dataset) -> None:
        if signed:
            make_signed(ds, bits)
        del ds.RescaleSlope, ds.RescaleIntercept
        if slope is not None:
            ds.RescaleSlope, ds.RescaleIntercept = slope, "7"
        ds.VOILUTSequence = [lookup_table(entries, first=first, bits=12)]

    radiograph = read_radiograph(edited("inputs", change, bits=bits))

    assert np.array_equal(radiograph.pixels, entries[(modality - first).clip(0, count - 1)])


@pytest.mark.parametrize("count", [255, 256, 65536])
def test_tables_of_bytes_and_the_longest_ones(count: int) -> None:
    bits, out = (16, 16) if count > 256 else (8, 8)
    entries = curve(count, out)
    item = lookup_table(entries, bits=out, vr="OW")

    radiograph = read_radiograph(edited("bytes", lambda ds: setattr(ds, "VOILUTSequence", [item]), bits=bits))

    assert radiograph.bits == out
    assert np.array_equal(radiograph.pixels, entries[gradient(bits).clip(0, count - 1)])


@pytest.mark.parametrize(("photometric", "shape", "inverted"), POLARITIES)
def test_both_tables_and_polarity_come_one_after_the_other(photometric: str, shape: str | None, inverted: bool) -> None:
    modality, voi = curve(4096, 10), curve(1024, 14)[::-1]

    def change(ds: Dataset) -> None:
        polarised(ds, photometric, shape, "-1")  # a slope beside a table does not count
        ds.ModalityLUTSequence = [lookup_table(modality, bits=10)]
        ds.VOILUTSequence = [lookup_table(voi, bits=14)]

    radiograph = read_radiograph(edited("both", change))

    expected = voi[modality[gradient(12)]]
    assert radiograph.bits == 14
    assert np.array_equal(radiograph.pixels, 2**14 - 1 - expected if inverted else expected)


def _without(keyword: str) -> Dataset:
    item = lookup_table(curve(4096, 12), bits=12)
    del item[keyword]
    return item


_SWAPPED = lookup_table(curve(4096, 12).byteswap(), bits=16)
_SHORT = lookup_table(curve(4096, 12), bits=12)
_SHORT.LUTDescriptor = [4095, 0, 12]
SENSELESS = {
    "no item": [],
    "empty item": [Dataset()],
    "no descriptor": [_without("LUTDescriptor")],
    "no data": [_without("LUTData")],
    "another length": [_SHORT],
    "bytes swapped": [_SWAPPED],
    "one value": [lookup_table(np.full(4096, 7), bits=12)],
    "made for other inputs": [lookup_table(curve(256, 12), first=20000, bits=12)],
}


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("items", SENSELESS.values(), ids=SENSELESS)
def test_a_table_that_makes_no_sense_is_not_applied_and_said(items: list[Dataset], keyword: str) -> None:
    radiograph = read_radiograph(edited("senseless", lambda ds: setattr(ds, keyword, items)))

    assert np.array_equal(radiograph.pixels, gradient(12))
    assert ("lookup table in the header makes no sense" in radiograph.note) == bool(items)


#: Bytes from the beginning of the item: its tag, its length, its first tag, the length of the first value.
@pytest.mark.parametrize("at", [0, 4, 8, 14])
def test_a_damaged_item_is_not_applied(at: int) -> None:
    item = lookup_table(curve(4096, 12), bits=12)
    data = bytearray(edited("damaged", lambda ds: setattr(ds, "VOILUTSequence", [item])))
    at += data.index(b"\x28\0\x10\x30SQ") + 12
    data[at : at + 2] = b"\x11\0"

    radiograph = read_radiograph(bytes(data))

    assert np.array_equal(radiograph.pixels, gradient(12)) and "VOI lookup table" in radiograph.note


def test_windows_change_nothing() -> None:
    def change(ds: Dataset) -> None:
        ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = ["100", "2000"], ["50", "1"], "SIGMOID"

    assert np.array_equal(read_radiograph(edited("windows", change)).pixels, gradient(12))


def test_samples_of_more_than_16_bits_have_no_tables() -> None:
    def change(ds: Dataset) -> None:
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 20, 19
        ds.PixelData = (gradient(12).astype("<u4") << 8).tobytes()
        ds.PixelPaddingValue = 0
        ds.VOILUTSequence = [lookup_table(curve(4096, 12)[::-1], bits=12)]

    assert np.array_equal(read_radiograph(edited("wide", change)).pixels, gradient(12) << 4)


def dcmtk_shows(data: bytes, folder: Path, *options: str) -> NDArray[np.uint8]:
    """What dcmtk's viewer makes of a file, (rows, columns)."""
    source, made = folder / "source.dcm", folder / "made.pgm"
    source.write_bytes(data)
    subprocess.run(["dcmj2pnm", *options, "+op", str(source), str(made)], check=True, capture_output=True, timeout=60)
    return np.asarray(Image.open(made))


def as_eight_bits(radiograph: Radiograph, most: int = 0) -> NDArray[np.float64]:
    """Spread over 0..255: the least and the greatest grey value, or 0 and ``most``, become the ends."""
    values = radiograph.pixels.astype(float)
    low, high = (0, most) if most else (values.min(), values.max())
    return (values - low) / (high - low) * 255


needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="dcmj2pnm is not installed")
#: The only combination that viewers disagree about, in files that contradict themselves.
DISPUTED = ("MONOCHROME1", "IDENTITY")
LIKE_DCMTK = [(name, shape) for name, shape, _ in POLARITIES if (name, shape) != DISPUTED]


@needs_dcmtk
@pytest.mark.parametrize(("photometric", "shape"), LIKE_DCMTK)
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("slope", ["2", "-1"])
def test_polarity_is_that_of_dcmtk(
    slope: str, signed: bool, bits: int, photometric: str, shape: str | None, tmp_path: Path
) -> None:
    def change(ds: Dataset) -> None:
        polarised(ds, photometric, shape, slope)
        if signed:
            make_signed(ds, bits)

    data = edited("dcmtk", change, bits=bits)

    theirs, ours = dcmtk_shows(data, tmp_path, "+Wm"), as_eight_bits(read_radiograph(data))
    assert np.abs(ours - theirs).max() <= 1.5


@needs_dcmtk
@pytest.mark.parametrize("syntax", DATA_SETS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("out", [8, 10, 16])
@pytest.mark.parametrize("first", [0, 300])
def test_a_modality_table_is_read_as_dcmtk_reads_it(first: int, out: int, syntax: uid.UID, tmp_path: Path) -> None:
    item = lookup_table(curve(2000, out), first=first, bits=out)

    def change(ds: Dataset) -> None:
        del ds.RescaleSlope, ds.RescaleIntercept
        ds.ModalityLUTSequence = [item]

    data = edited("dcmtk", change, transfer_syntax=syntax)

    ours = as_eight_bits(read_radiograph(data))
    assert np.abs(ours - dcmtk_shows(data, tmp_path, "+Wm")).max() <= 1.5


@needs_dcmtk
@pytest.mark.parametrize("out", [8, 12, 16])
@pytest.mark.parametrize("polarity", LIKE_DCMTK)
@pytest.mark.parametrize("falling", [False, True], ids=["rising", "falling"])
def test_a_voi_table_is_read_as_dcmtk_reads_it(
    falling: bool, polarity: tuple[str, str | None], out: int, tmp_path: Path
) -> None:
    entries = curve(2000, out)[:: -1 if falling else 1]

    def change(ds: Dataset) -> None:
        polarised(ds, *polarity)
        ds.RescaleIntercept = "0"
        ds.VOILUTSequence = [lookup_table(entries, first=1000, bits=out)]

    data = edited("dcmtk", change)

    ours = as_eight_bits(read_radiograph(data), 2**out - 1)
    assert np.abs(ours - dcmtk_shows(data, tmp_path, "+Wl", "1")).max() <= 1.5


def test_the_plain_file_is_not_copied() -> None:
    """Decoded pixels are cut out of the file's bytes in one pass, and nothing more is made of them."""
    big = np.zeros((2000, 1500), np.uint16)
    big[:] = np.arange(1500)

    def change(ds: Dataset) -> None:
        ds.Rows, ds.Columns = big.shape
        ds.PixelData = big.tobytes()
        ds.PixelPaddingValue = 60000

    data = edited("plain", change, bits=16)
    read_radiograph(data)
    tracemalloc.start()
    try:
        read_radiograph(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * big.nbytes


def test_eight_bit_files_are_as_they_were() -> None:
    assert np.array_equal(read_radiograph(edited("8 bits", bits=8)).pixels, as_stored(8))
