"""Loose pictures in every format and mode: read alike, or refused with a reason."""

from __future__ import annotations

import struct
import subprocess
import zlib
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from mskmodel.dicom.raster import is_picture, read_picture
from mskmodel.dicom.reading import read_image
from mskmodel.radiograph import Limits, NotClassifiable, Skipped, Undecodable
from tests.dicom_files import COLUMNS, ROWS, gradient
from tests.dicom_files import hostile_files as hostile_dicom_files
from tests.mutants import assert_survived

ROOT = Path(__file__).parents[3]
LIMITS = Limits()
GREY = gradient(8).astype(np.uint8)
LOSSLESS: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}}

#: The modes that a format can hold, and how far from the picture it is read where the format is lossy.
MODES: dict[str, tuple[tuple[str, ...], int]] = {
    "AVIF": (("L", "RGB", "RGBA"), 3),
    "BMP": (("1", "L", "P", "RGB"), 0),
    "GIF": (("1", "L", "P"), 0),
    "JPEG": (("L", "RGB", "CMYK"), 3),
    "JPEG2000": (("L", "LA", "RGB", "RGBA", "I;16"), 0),
    "PCX": (("1", "L", "P", "RGB"), 0),
    "PNG": (("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), 0),
    "PPM": (("1", "L", "RGB", "I;16", "F"), 0),
    "QOI": (("RGB", "RGBA"), 0),
    "SGI": (("L", "RGB", "RGBA"), 0),
    "TIFF": (("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"), 0),
    "WEBP": (("L", "RGB", "RGBA"), 0),
}
KINDS = [(name, mode) for name, (modes, _) in MODES.items() for mode in modes]


def picture_of(mode: str) -> Image.Image:
    """The gradient in a mode; in 16 bits each grey value is 257 times as large."""
    match mode:
        case "I;16" | "I;16B":
            order = ">u2" if mode == "I;16B" else "<u2"
            return Image.frombytes(mode, (COLUMNS, ROWS), (GREY.astype(order) * 257).astype(order).tobytes())
        case "LAB":
            neutral = Image.new("L", (COLUMNS, ROWS), 128)
            return Image.merge("LAB", [Image.fromarray(GREY), neutral, neutral])
        case "P" | "PA":
            indexed = Image.fromarray(GREY).convert("P")
            indexed.putpalette([value for grey in range(256) for value in (grey, grey, grey)])
            return indexed.convert(mode)
        case "1":
            return Image.fromarray(GREY).point(lambda value: 255 * (value > 127), "1")
        case _:
            return Image.fromarray(GREY).convert(mode)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = BytesIO()
    image.save(file, name, **LOSSLESS.get(name, {}), **options)
    return file.getvalue()


@pytest.mark.parametrize(("name", "mode"), KINDS)
def test_every_format_and_mode_is_read_as_the_same_grey_picture(name: str, mode: str) -> None:
    radiograph = read_picture(saved(picture_of(mode), name), LIMITS)

    deep = mode in ("I;16", "I;16B", "F")
    expected = (255 * (GREY > 127) if mode == "1" else GREY).astype(int) * (257 if deep else 1)
    assert radiograph.bits == (16 if deep or mode == "I" else 8)
    assert radiograph.pixels.dtype == np.uint16 and radiograph.pixels.flags.writeable
    assert np.abs(radiograph.pixels.astype(int) - expected).max() <= MODES[name][1]
    assert (radiograph.sop_class, radiograph.modality) == ("", "")


@pytest.mark.parametrize("name", MODES)
def test_the_first_bytes_tell_every_format_whatever_the_name(name: str, tmp_path: Path) -> None:
    data = saved(picture_of(MODES[name][0][0]), name)
    (tmp_path / "radiograph.dcm").write_bytes(data)

    assert is_picture(data[:18])
    assert read_image(tmp_path / "radiograph.dcm").pixels.shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
def test_tiff_is_read_in_every_compression_and_with_white_as_zero(mode: str, compression: str | None) -> None:
    image = picture_of(mode)
    white_is_zero = image
    if mode == "I;16":  # Pillow inverts the modes of up to 8 bits as it writes them
        white_is_zero = Image.fromarray(65535 - np.asarray(image))
    plain = read_picture(saved(image, "TIFF", compression=compression), LIMITS)
    inverted = plain
    if mode != "RGB":
        inverted = read_picture(saved(white_is_zero, "TIFF", compression=compression, tiffinfo={262: 0}), LIMITS)

    assert np.array_equal(plain.pixels, inverted.pixels)
    assert plain.pixels[0, 0] < plain.pixels[-1, -1]


def tiled(tiles: list[bytes], side: int) -> bytes:
    """A TIFF of the gradient's size in deflated tiles, which Pillow does not write."""
    # Width, length, bits, compression (deflate), photometric, samples, tile width and length, offsets, byte counts.
    offsets = list(accumulate((len(tile) for tile in tiles[:-1]), initial=8))
    values = {256: [COLUMNS], 257: [ROWS], 258: [8], 259: [8], 262: [1], 277: [1], 322: [side], 323: [side]}
    values |= {324: offsets, 325: [len(tile) for tile in tiles]}
    body, after = b"".join(tiles), b""
    directory, end = struct.pack("<H", len(values)), 8 + len(body) + 2 + 12 * len(values) + 4
    for tag, numbers in values.items():
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        directory += struct.pack("<HHI", tag, 4, len(numbers))
        directory += packed if len(numbers) == 1 else struct.pack("<I", end + len(after))
        after += b"" if len(numbers) == 1 else packed
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + bytes(4) + after


@pytest.mark.parametrize("side", [32, 96])
def test_tiff_in_tiles_is_read(side: int) -> None:
    padded = np.pad(GREY, ((0, -ROWS % side), (0, -COLUMNS % side)))
    corners = [(y, x) for y in range(0, padded.shape[0], side) for x in range(0, padded.shape[1], side)]
    tiles = [zlib.compress(padded[y : y + side, x : x + side].tobytes()) for y, x in corners]

    assert np.array_equal(read_picture(tiled(tiles, side), LIMITS).pixels, GREY)


def test_a_tile_that_is_larger_than_the_limit_is_not_inflated() -> None:
    with pytest.raises(Skipped, match="over the size limit"):
        read_picture(tiled([zlib.compress(bytes(10**7))], 60_000), LIMITS)


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_fax_compressed_tiff_is_read(compression: str) -> None:
    radiograph = read_picture(saved(picture_of("1"), "TIFF", compression=compression), LIMITS)

    assert np.array_equal(radiograph.pixels, 255 * (GREY > 127))


@pytest.mark.parametrize("low", [-1000.0, 0.0, 1e6])
@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_of_any_range_are_stretched_over_16_bits(mode: str, low: float) -> None:
    image = Image.fromarray((gradient(16).astype(np.float64) * 2 + low).astype(np.int32 if mode == "I" else np.float32))

    pixels = read_picture(saved(image, "TIFF"), LIMITS).pixels

    assert np.abs(pixels.astype(int) - gradient(16)).max() <= 1


def test_a_picture_of_one_value_is_read() -> None:
    for mode, value in (("L", 7), ("F", 0.25), ("I", -4)):
        assert len(np.unique(read_picture(saved(Image.new(mode, (9, 7), value), "TIFF"), LIMITS).pixels)) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    values = gradient(8).astype(np.float32)
    values[3, 4] = value

    with pytest.raises(Undecodable, match="no numbers"):
        read_picture(saved(Image.fromarray(values), "TIFF"), LIMITS)


@pytest.mark.parametrize(("name", "mode"), [("PNG", "LA"), ("PNG", "RGBA"), ("TIFF", "RGBA"), ("WEBP", "RGBA")])
def test_what_is_transparent_lies_on_black(name: str, mode: str) -> None:
    image = picture_of(mode)
    alpha = np.full((ROWS, COLUMNS), 255, np.uint8)
    alpha[:, :10], alpha[:, 10:20] = 0, 128
    image.putalpha(Image.fromarray(alpha))

    pixels = read_picture(saved(image, name, **({"exact": True} if name == "WEBP" else {})), LIMITS).pixels

    assert np.abs(pixels.astype(int) - np.round(GREY.astype(int) * alpha / 255)).max() <= 1


@pytest.mark.parametrize(("name", "mode"), [("PNG", "P"), ("PNG", "L"), ("GIF", "P")])
def test_a_transparent_colour_is_black(name: str, mode: str) -> None:
    image = picture_of(mode)
    brightest = int(np.asarray(image)[-1, -1])

    pixels = read_picture(saved(image, name, transparency=brightest), LIMITS).pixels

    assert pixels[-1, -1] == 0
    assert np.array_equal(pixels[:40, :40], GREY[:40, :40])


@pytest.mark.parametrize(("name", "mode"), [("JPEG", "L"), ("PNG", "I;16"), ("WEBP", "RGB"), ("TIFF", "I;16B")])
@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_orientation_is_applied_once(name: str, mode: str, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"tiffinfo": {274: orientation}} if name == "TIFF" else {"exif": exif}

    upright = read_picture(saved(picture_of(mode), name, **options), LIMITS).pixels
    plain = read_picture(saved(picture_of(mode), name), LIMITS).pixels

    assert np.array_equal(upright, np.rot90(plain, turn))


@pytest.mark.parametrize("name", ["GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_several_pictures_in_a_file_are_refused(name: str) -> None:
    image = Image.fromarray(GREY)
    data = saved(image, name, save_all=True, append_images=[image.rotate(90, expand=True).resize(image.size)])

    with pytest.raises(Skipped, match="several pictures"):
        read_picture(data, LIMITS)


def test_a_small_copy_behind_a_tiff_picture_does_not_count() -> None:
    image, small = Image.fromarray(GREY), Image.fromarray(GREY[::4, ::4])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    data = saved(image, "TIFF", save_all=True, append_images=[small])

    assert np.array_equal(read_picture(data, LIMITS).pixels, GREY)


def test_what_a_camera_puts_behind_a_jpeg_does_not_count() -> None:
    image = Image.fromarray(GREY)
    file = BytesIO()
    image.save(file, "MPO", save_all=True, append_images=[image.rotate(180)], quality=100)

    assert np.abs(read_picture(file.getvalue(), LIMITS).pixels.astype(int) - GREY).max() <= 3


@pytest.mark.parametrize("name", [*MODES])
def test_a_picture_over_the_size_limit_is_skipped(name: str) -> None:
    with pytest.raises(Skipped, match="over the size limit"):
        read_picture(saved(picture_of(MODES[name][0][0]), name), Limits(max_pixels=ROWS * COLUMNS - 1))


def _noise(name: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    return saved(Image.fromarray(noise), name)


#: Pillow fills what is missing in these.
FORGIVING = {"QOI"}


@pytest.mark.parametrize("name", sorted(set(MODES) - FORGIVING))
def test_a_picture_that_is_cut_short_is_damaged(name: str) -> None:
    whole = _noise(name)

    with pytest.raises(Undecodable):
        read_picture(whole[: len(whole) // 2], LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing to see",
        b"BM stands for many things, and here for none",
        b"P1 is the first of six",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00\x00\x02" + bytes(9) + b"\x10\x00\x10\x00\x08\x00" + bytes(256),  # TGA
        b"\x00\x00\x01\x00\x01\x00" + bytes(100),  # an icon of Windows
    ],
    ids=["empty", "text", "BM", "P1", "EPS", "PDF", "SVG", "TGA", "ICO"],
)
def test_what_is_no_picture_is_not_opened(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    (tmp_path / "picture.png").write_bytes(data)

    assert not is_picture(data)
    with pytest.raises(Undecodable, match=r"^neither a DICOM file nor a picture$"):
        read_image(tmp_path / "picture.png")


def test_a_jpeg_2000_picture_that_asks_for_too_much_is_refused() -> None:
    """Codestreams that the DICOM side refuses before a decoder sees them are refused as loose pictures too."""
    found = [file for file in hostile_dicom_files() if file.name in ("JPEG 2000 tiles", "lying JPEG 2000 SIZ")]
    assert len(found) == 2
    for file in found:
        codestream = file.data[file.data.index(b"\xff\x4f\xff\x51") :]
        with pytest.raises(NotClassifiable):
            read_picture(codestream, LIMITS)


_FUZZ = """
import random
from mskmodel.dicom.raster import read_picture
from mskmodel.radiograph import Limits, NotClassifiable
from tests.mutants import mutated
from tests.unit.dicom.test_pictures import KINDS, picture_of, saved

for name, mode in KINDS:
    whole = saved(picture_of(mode), name)
    for number in range(40):
        print(name, mode, number, flush=True)
        chance = random.Random(f"{name} {mode} {number}")
        high = chance.choice((64, len(whole)))
        try:
            read_picture(mutated(whole, chance, 4, high, 20), Limits(max_pixels=10_000_000))
        except NotClassifiable:
            pass
"""


def test_mutated_pictures_neither_end_the_process_nor_raise_anything_else() -> None:
    assert_survived(_FUZZ)
