"""Radiographs that come as pictures (PNG, JPEG, TIFF and so on), from teaching collections and research sets."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps, TiffImagePlugin

from mskmodel.dicom.codestream import BadCodestreamError
from mskmodel.dicom.codestream_jpeg_2000 import jpeg_2000_codestream, jpeg_2000_header
from mskmodel.radiograph import Limits, NotClassifiable, Radiograph, Skipped, Undecodable

__all__ = ["is_picture", "read_picture"]

#: How the files begin that Pillow decodes by itself and that their first bytes tell. Others are never opened: EPS goes
#: to Ghostscript, and a TGA file begins like anything.
_FORMATS: Final = {
    "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    # The size of its second header tells it from other files that begin so.
    "BMP": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "JPEG2000": re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"),
    "PCX": re.compile(rb"\x0a[\0\x02\x03\x05]\x01[\x01\x02\x04\x08]"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "PPM": re.compile(rb"P[1-6f][ \t\r\n]{1,4}[#\d]"),
    "QOI": re.compile(rb"qoif"),
    "SGI": re.compile(rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]"),
    "SUN": re.compile(rb"\x59\xa6\x6a\x95"),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
#: Bytes that these take.
_BEGINNING: Final = 18
#: Tags of TIFF, and values: a page that is a smaller copy of another one; 0 is white.
_SUBFILE_TYPE, _REDUCED, _PHOTOMETRIC, _WHITE_IS_ZERO, _TILE_WIDTH, _TILE_LENGTH = 254, 1, 262, 0, 322, 323
#: Pages that are looked at for another picture.
_MAX_PAGES: Final = 32
_MAX_COMPONENTS: Final = 4


def is_picture(data: bytes) -> bool:
    """Tell whether these bytes begin as a picture that `read_picture` reads."""
    return bool(_format_of(data))


def read_picture(data: bytes, limits: Limits) -> Radiograph:
    """Return a picture as a radiograph, 8 or 16 bits. Bright is taken to be dense.

    Colour becomes luminance, what is transparent lies on black, EXIF rotation is applied. Samples of 16 bits are kept.
    Floating point, and integers outside of 0..65535, are stretched over 0..65535. Raises ``Skipped`` for more than
    one picture in the file and for one over the size limit, ``Undecodable`` for a damaged one.
    """
    found = _format_of(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns about large images, but ``limits`` decides here, and of odd metadata, which do not matter.
            warnings.simplefilter("ignore")
            if found == "JPEG2000":
                _check_jpeg_2000(data, limits)
            with Image.open(BytesIO(data), formats=(found,)) as image:
                _check_size(image.width, image.height, limits)
                if isinstance(image, TiffImagePlugin.TiffImageFile):  # a tile may be larger than the picture
                    _check_size(image.tag_v2.get(_TILE_WIDTH, 0), image.tag_v2.get(_TILE_LENGTH, 0), limits)
                if _has_others(image, found):
                    raise Skipped("a file of several pictures: only single ones are labelled")
                return _radiograph(image)
    except NotClassifiable:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(limits) from error
    except Exception as error:  # what Pillow raises depends on the format, and on what is damaged
        raise Undecodable("the image is damaged") from error


def _format_of(data: bytes) -> str:
    """Pillow's name of the format, ``""`` for none."""
    beginning = data[:_BEGINNING]
    return next((name for name, begins in _FORMATS.items() if begins.match(beginning)), "")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise _too_large(limits)


def _too_large(limits: Limits) -> Skipped:
    return Skipped(f"over the size limit: the limit is {limits.max_pixels:,} pixels")


def _check_jpeg_2000(data: bytes, limits: Limits) -> None:
    """Refuse what would take more memory than its size says; Pillow asks the file around the codestream only."""
    try:
        header = jpeg_2000_header(jpeg_2000_codestream(data))
    except BadCodestreamError as error:
        raise Undecodable(f"the JPEG 2000 image {error}") from error
    _check_size(header.columns, header.rows, limits)
    if header.components > _MAX_COMPONENTS:
        raise Undecodable(f"the JPEG 2000 image has {header.components} components")


def _has_others(image: Image.Image, found: str) -> bool:
    """Whether the file holds an animation or pages. What a camera puts behind a JPEG does not count."""
    if found == "JPEG":
        return False
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return bool(getattr(image, "is_animated", False))
    try:
        for page in range(1, _MAX_PAGES):
            image.seek(page)
            if not image.tag_v2.get(_SUBFILE_TYPE, 0) & _REDUCED:
                return True
    except EOFError:
        image.seek(0)
        return False
    return True


def _radiograph(image: Image.Image) -> Radiograph:
    # Of the deeper modes, Pillow leaves this to the reader.
    inverted = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        pixels = _deep(np.asarray(image))
        return Radiograph(np.invert(pixels, out=pixels) if inverted else pixels, bits=16)
    return Radiograph(np.array(_grey(image), dtype=np.uint16), bits=8)


def _deep(values: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Samples of 16 bits as they are; others stretched, smallest to largest, over 0..65535."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Undecodable("the image holds values that are no numbers")
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    stretched = np.zeros(values.shape, np.uint16)
    if high > low:
        for row, line in zip(stretched, values, strict=True):  # by rows: a copy in double precision is large
            row[:] = (line.astype(np.float64) - low) * (65535 / (high - low)) + 0.5
    return stretched


def _grey(image: Image.Image) -> Image.Image:
    """Luminance, (rows, columns) of 8 bits, on black."""
    if image.mode == "LAB":
        return image.getchannel("L")
    if not image.has_transparency_data:
        return image.convert("L")
    layers = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    return ImageChops.multiply(layers.convert("L"), layers.getchannel("A"))
