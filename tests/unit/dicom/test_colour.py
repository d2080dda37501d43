"""Grey radiographs that are written as colour are read in every encoding; coloured ones are skipped."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import Limits, NotClassifiable, Skipped, Undecodable
from tests.dicom_files import COLUMNS, ROWS, edited, gradient
from tests.foreign_encoders import MISSING
from tests.mutants import assert_survived

Samples = NDArray[np.unsignedinteger]
COLOURED = "^a colour image, not a radiograph$"


def grey(bits: int = 8) -> Samples:
    """Smooth with some noise, as film is; the brightest and the darkest value are among it."""
    noise = np.random.default_rng(0).integers(-20, 20, (ROWS, COLUMNS))
    values = np.clip(gradient(8).astype(int) + noise, 0, 255) * (2**bits - 1) // 255
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def as_rgb(values: Samples) -> Samples:
    return np.stack([values] * 3, -1)


def as_ycbcr(values: Samples) -> Samples:
    neutral = np.full_like(values, 2 ** (8 * values.itemsize - 1))
    return np.stack([values, neutral, neutral], -1)


def tinted(samples: Samples) -> Samples:
    """The same with a coloured mark in its last rows: 10 x 10 pixels whose third sample is a tenth of the range off."""
    samples = samples.copy()
    samples[-20:-10, -20:-10, 2] ^= 2 ** (8 * samples.itemsize - 3)
    return samples


def colour_file(
    samples: Samples,
    value: bytes,
    photometric: str,
    *,
    transfer_syntax: str = uid.ExplicitVRLittleEndian,
    planar: int = 0,
    bits: int | None = None,
) -> bytes:
    """A DX file of three samples a pixel, as some systems write them."""

    def change(ds: Dataset) -> None:
        ds.file_meta.TransferSyntaxUID = uid.UID(transfer_syntax)
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, planar
        ds.PhotometricInterpretation = photometric
        ds.Rows, ds.Columns = samples.shape[:2]
        ds.BitsAllocated = 8 * samples.itemsize
        ds.BitsStored = bits or ds.BitsAllocated
        ds.HighBit = ds.BitsStored - 1
        compressed = uid.UID(transfer_syntax).is_compressed
        ds.PixelData = encapsulate([value]) if compressed else value + bytes(len(value) % 2)
        ds["PixelData"].VR = "OB" if compressed or samples.itemsize == 1 else "OW"

    return edited(f"colour {photometric} {transfer_syntax}", change)


def native(samples: Samples, photometric: str, planar: int = 0, bits: int | None = None) -> bytes:
    ordered = np.ascontiguousarray(np.moveaxis(samples, -1, 0)) if planar else samples
    return colour_file(samples, ordered.tobytes(), photometric, planar=planar, bits=bits)


def in_pairs(samples: Samples) -> bytes:
    """YBR_FULL_422 without compression: two luma samples, and the chroma of both."""
    pairs = samples.reshape(samples.shape[0], -1, 2, 3)
    return np.concatenate([pairs[..., 0], pairs[..., :1, 1], pairs[..., :1, 2]], -1).tobytes()


def rle(samples: Samples) -> bytes:
    bits = 8 * samples.itemsize
    return bytes(
        RLELosslessEncoder.encode(
            np.ascontiguousarray(samples),
            rows=samples.shape[0],
            columns=samples.shape[1],
            samples_per_pixel=3,
            number_of_frames=1,
            bits_allocated=bits,
            bits_stored=bits,
            pixel_representation=0,
            photometric_interpretation="RGB",
            planar_configuration=0,
        )
    )


def jpeg(samples: Samples, **options: object) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(samples, level=85, **options))


def as_jpeg_rgb(samples: Samples) -> bytes:
    return jpeg(samples, colorspace="RGB", outcolorspace="RGB")


def as_jpeg_lossless(samples: Samples) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(samples, lossless=True, predictor=1, bitspersample=8 * samples.itemsize))


def as_jpeg_2000(samples: Samples, *, mct: bool, level: int | None = None) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(samples, level, codecformat="j2k", reversible=level is None, mct=mct))


def as_jp2(samples: Samples) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(samples, codecformat="jp2", reversible=True, mct=True))


#: How three samples are compressed: transfer syntax, photometric interpretation, encoder of RGB, largest error.
ENCODERS: dict[str, tuple[str, str, Callable[[Samples], bytes], int]] = {
    "RLE": (uid.RLELossless, "RGB", rle, 0),
    "JPEG 4:2:2": (uid.JPEGBaseline8Bit, "YBR_FULL_422", lambda s: jpeg(s, subsampling="422"), 30),
    "JPEG 4:2:0": (uid.JPEGBaseline8Bit, "YBR_FULL_422", lambda s: jpeg(s, subsampling="420"), 30),
    "JPEG 4:4:4": (uid.JPEGBaseline8Bit, "YBR_FULL", lambda s: jpeg(s, subsampling="444"), 30),
    "JPEG that says RGB and is YCbCr": (uid.JPEGBaseline8Bit, "RGB", lambda s: jpeg(s, subsampling="422"), 30),
    "JPEG RGB": (uid.JPEGBaseline8Bit, "RGB", as_jpeg_rgb, 30),
    "JPEG that says YCbCr and is RGB": (uid.JPEGBaseline8Bit, "YBR_FULL_422", as_jpeg_rgb, 30),
    "JPEG lossless": (uid.JPEGLosslessSV1, "RGB", as_jpeg_lossless, 0),
    "JPEG-LS": (uid.JPEGLSLossless, "RGB", lambda s: bytes(imagecodecs.jpegls_encode(s)), 0),
    "JPEG-LS near": (uid.JPEGLSNearLossless, "RGB", lambda s: bytes(imagecodecs.jpegls_encode(s, level=3)), 3),
    "JPEG 2000 RCT": (uid.JPEG2000Lossless, "YBR_RCT", lambda s: as_jpeg_2000(s, mct=True), 0),
    "JPEG 2000 ICT": (uid.JPEG2000, "YBR_ICT", lambda s: as_jpeg_2000(s, mct=True, level=45), 8),
    "JPEG 2000 plain": (uid.JPEG2000Lossless, "RGB", lambda s: as_jpeg_2000(s, mct=False), 0),
    "JPEG 2000 plain, lossy": (uid.JPEG2000, "RGB", lambda s: as_jpeg_2000(s, mct=False, level=45), 8),
    "JP2 in place of its codestream": (uid.JPEG2000Lossless, "YBR_RCT", as_jp2, 0),
    "HTJ2K": (uid.HTJ2KLossless, "YBR_RCT", lambda s: bytes(imagecodecs.htj2k_encode(s, reversible=True)), 0),
    "HTJ2K lossy": (
        uid.HTJ2K,
        "YBR_ICT",
        lambda s: bytes(imagecodecs.htj2k_encode(s, level=0.01, reversible=False)),
        8,
    ),
}
DEEP = ("RLE", "JPEG lossless", "JPEG-LS", "JPEG 2000 RCT", "JPEG 2000 plain", "HTJ2K")


def assert_grey(data: bytes, expected: Samples, tolerance: int = 0) -> None:
    radiograph = read_radiograph(data)
    assert np.abs(radiograph.pixels.astype(int) - expected).max() <= tolerance
    flags = radiograph.pixels.flags
    assert flags.writeable and flags.aligned and flags.c_contiguous


@pytest.mark.parametrize("name", ENCODERS)
def test_equal_channels_count_as_grey_in_every_compression(name: str) -> None:
    syntax, photometric, encode, tolerance = ENCODERS[name]
    data = colour_file(as_rgb(grey()), encode(as_rgb(grey())), photometric, transfer_syntax=syntax)

    assert_grey(data, grey(), tolerance)


@pytest.mark.parametrize("name", DEEP)
def test_and_in_16_bits(name: str) -> None:
    syntax, photometric, encode, _ = ENCODERS[name]
    data = colour_file(as_rgb(grey(16)), encode(as_rgb(grey(16))), photometric, transfer_syntax=syntax)

    assert_grey(data, grey(16))


@pytest.mark.parametrize("name", ENCODERS)
def test_a_small_coloured_mark_makes_a_colour_image(name: str) -> None:
    syntax, photometric, encode, _ = ENCODERS[name]
    samples = tinted(as_rgb(grey()))

    with pytest.raises(Skipped, match=COLOURED):
        read_radiograph(colour_file(samples, encode(samples), photometric, transfer_syntax=syntax))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_uncompressed_samples_by_pixel_and_by_component(photometric: str, planar: int, bits: int) -> None:
    samples = (as_rgb if photometric == "RGB" else as_ycbcr)(grey(bits))

    assert_grey(native(samples, photometric, planar), grey(bits))
    with pytest.raises(Skipped, match=COLOURED):
        read_radiograph(native(tinted(samples), photometric, planar))


def test_12_bits_in_cells_of_16() -> None:
    assert_grey(native(as_rgb(grey(12)), "RGB", bits=12), grey(12))


def test_bytes_in_big_endian_words() -> None:
    def change(ds: Dataset) -> None:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.PixelData = as_rgb(grey(16)).astype(">u2").tobytes()
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15

    assert_grey(edited("colour", change, transfer_syntax=uid.ExplicitVRBigEndian), grey(16))


def test_pixels_that_share_their_chroma() -> None:
    samples = as_ycbcr(grey())

    assert_grey(colour_file(samples, in_pairs(samples), "YBR_FULL_422"), grey())
    assert_grey(native(samples, "YBR_FULL_422"), grey())  # decompressed, and the header left as it was
    with pytest.raises(Skipped, match=COLOURED):
        read_radiograph(colour_file(samples, in_pairs(tinted(samples)), "YBR_FULL_422"))
    odd = samples[:, :-1]
    with pytest.raises(Undecodable, match="odd number of columns"):
        read_radiograph(colour_file(odd, bytes(odd.size * 2 // 3), "YBR_FULL_422"))


@pytest.mark.parametrize(
    ("photometric", "samples"), [("PALETTE COLOR", 1), ("RGB", 1), ("CMYK", 4), ("MONOCHROME2", 2)]
)
def test_what_cannot_be_grey_is_skipped_by_its_header(photometric: str, samples: int) -> None:
    def change(ds: Dataset) -> None:
        ds.PhotometricInterpretation, ds.SamplesPerPixel = photometric, samples

    with pytest.raises(Skipped, match=COLOURED):
        read_radiograph(edited(photometric, change))


@pytest.mark.parametrize("missing", [1, 100])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
def test_colour_that_is_cut_short(photometric: str, missing: int) -> None:
    samples = as_ycbcr(grey())
    value = samples.tobytes() if photometric == "RGB" else in_pairs(samples)

    with pytest.raises(Undecodable, match="cut short"):
        read_radiograph(colour_file(samples, value[: -2 * missing], photometric))


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_count_against_the_size_limit(name: str) -> None:
    syntax, photometric, encode, _ = ENCODERS[name]
    data = colour_file(as_rgb(grey()), encode(as_rgb(grey())), photometric, transfer_syntax=syntax)

    assert read_radiograph(data, Limits(max_pixels=3 * ROWS * COLUMNS)).bits == 8
    with pytest.raises(Skipped, match="96 x 80 pixels of 3 samples"):
        read_radiograph(data, Limits(max_pixels=3 * ROWS * COLUMNS - 1))


def test_a_codestream_of_one_component_where_three_are_announced() -> None:
    data = colour_file(as_rgb(grey()), jpeg(grey()), "YBR_FULL_422", transfer_syntax=uid.JPEGBaseline8Bit)

    with pytest.raises(Undecodable, match="has 1 components where the header says 3"):
        read_radiograph(data)


DCMTK = {
    "RLE": ("dcmcrle",),
    "JPEG RGB": ("dcmcjpeg", "+eb", "+cr"),
    "JPEG 4:2:2": ("dcmcjpeg", "+eb", "+cy", "+s2"),
    "JPEG 4:4:4": ("dcmcjpeg", "+eb", "+cy", "+s4"),
    "JPEG 4:1:1": ("dcmcjpeg", "+eb", "+cy", "+n1"),
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG-LS by line": ("dcmcjpls", "+el", "+il"),
    "JPEG-LS by sample": ("dcmcjpls", "+el", "+is"),
    "JPEG-LS by component": ("dcmcjpls", "+el", "+in"),
    "JPEG-LS near by line": ("dcmcjpls", "+en", "+md", "3", "+il"),
    "JPEG-LS near by sample": ("dcmcjpls", "+en", "+md", "3", "+is"),
    "JPEG-LS near by component": ("dcmcjpls", "+en", "+md", "3", "+in"),
}


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("name", DCMTK)
@pytest.mark.parametrize("planar", [0, 1])
def test_grey_that_dcmtk_compressed_as_colour(name: str, planar: int, tmp_path: Path) -> None:
    program, *options = DCMTK[name]
    for samples, coloured in ((as_rgb(grey()), False), (tinted(as_rgb(grey())), True)):
        (tmp_path / "plain.dcm").write_bytes(native(samples, "RGB", planar))
        command = [program, *options, str(tmp_path / "plain.dcm"), str(tmp_path / "made.dcm")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        data = (tmp_path / "made.dcm").read_bytes()
        if coloured:
            with pytest.raises(Skipped, match=COLOURED):
                read_radiograph(data)
        else:
            assert_grey(data, grey(), 3 if "near" in name else 30 if "JPEG " in name and "less" not in name else 0)


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize(
    ("command", "suffix", "syntax"),
    [
        (("opj_compress", "-mct", "1"), "j2k", uid.JPEG2000Lossless),
        (("opj_compress", "-mct", "0"), "j2k", uid.JPEG2000Lossless),
        (("opj_compress", "-mct", "1"), "jp2", uid.JPEG2000Lossless),
        (("opj_compress", "-mct", "0", "-t", "32,32"), "jp2", uid.JPEG2000),
        (("ojph_compress", "-reversible", "true", "-colour_trans", "true"), "j2c", uid.HTJ2KLossless),
        (("ojph_compress", "-reversible", "true", "-colour_trans", "false"), "j2c", uid.HTJ2KLossless),
    ],
)
def test_grey_that_openjpeg_and_openjph_compressed_as_colour(
    command: tuple[str, ...], suffix: str, syntax: str, tmp_path: Path
) -> None:
    samples, made = as_rgb(grey()), tmp_path / f"made.{suffix}"
    (tmp_path / "plain.ppm").write_bytes(b"P6\n%d %d\n255\n" % (COLUMNS, ROWS) + samples.tobytes())
    program, *options = command
    subprocess.run(
        [program, "-i", str(tmp_path / "plain.ppm"), "-o", str(made), *options],
        check=True,
        capture_output=True,
        timeout=60,
    )

    assert_grey(colour_file(samples, made.read_bytes(), "YBR_RCT", transfer_syntax=syntax), grey())


def real_files() -> list[Path]:
    """What pydicom and pydicom-data have on this machine."""
    some = ("CT_small.dcm", "RG3_UNCR.dcm")
    folders = {Path(str(get_testdata_file(name, download=False))).parent for name in some}
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]


def test_a_real_colour_file_is_skipped_in_every_encoding() -> None:
    def make_dx(path: str) -> bytes:
        """With the class and modality of a radiograph, which have other lengths; the data set decides."""
        data = Path(path).read_bytes()
        for name in (b"1.2.840.10008.5.1.4.1.1.7\0", b"1.2.840.10008.5.1.4.1.1.6\0"):
            data = data.replace(name, b"1.2.840.10008.5.1.4.1.1.1\0")
        return data

    # One has a coding style for each tile, which is refused.
    names = [str(path) for path in real_files() if path.match("SC_rgb*") and "KY" not in path.name]
    names = [name for name in names if "frame" not in name]
    assert len(names) > 15
    for path in names:
        with pytest.raises(Skipped, match=COLOURED):
            read_radiograph(make_dx(path))


def test_no_file_of_pydicom_raises_anything_else() -> None:
    files = real_files()
    assert len(files) > 100
    for path in files:
        try:
            read_radiograph(path.read_bytes())
        except NotClassifiable as error:
            assert error.reason.isprintable()


_FUZZ = """
import random
from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import NotClassifiable
from tests.mutants import mutated
from tests.unit.dicom.test_colour import ENCODERS, as_rgb, colour_file, grey

for name, (syntax, photometric, encode, _) in ENCODERS.items():
    whole = colour_file(as_rgb(grey()), encode(as_rgb(grey())), photometric, transfer_syntax=syntax)
    pixels = whole.index(b"\\xe0\\x7f\\x10\\x00")
    for number in range(100):
        print(name, number, flush=True)
        chance = random.Random(f"{name} {number}")
        low, high = chance.choice(((pixels - 250, pixels), (pixels, pixels + 250), (pixels, len(whole))))
        try:
            read_radiograph(mutated(whole, chance, low, high, 133))
        except NotClassifiable:
            pass
"""


def test_mutated_colour_files_neither_end_the_process_nor_raise_anything_else() -> None:
    assert_survived(_FUZZ)
