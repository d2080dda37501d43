"""Radiographs that come as PNG or JPEG files, from teaching collections and research sets."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from mskmodel.radiograph import Limits, Radiograph, Skipped, Undecodable

__all__ = ["is_picture", "read_picture"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
#: What Pillow raises on damaged files of these two formats.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def is_picture(data: bytes) -> bool:
    """Tell whether these bytes begin as a PNG or a JPEG file."""
    return data.startswith((_PNG, _JPEG))


def read_picture(data: bytes, limits: Limits) -> Radiograph:
    """Return a PNG (8 or 16 bits) or JPEG as a radiograph; colour becomes luminance, EXIF rotation is applied.

    Bright is taken to be dense. Raises ``Skipped`` for a file over the size limit, ``Undecodable`` for a damaged one.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns about large images, but ``limits`` decides here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG"))
        if image.width * image.height > limits.max_pixels:
            raise _too_large(limits)
        with image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("I;16", "I;16B"):
                return Radiograph(np.array(upright, dtype=np.uint16), bits=16)
            return Radiograph(np.array(upright.convert("L")).astype(np.uint16), bits=8)
    except Image.DecompressionBombError as error:
        raise _too_large(limits) from error
    except _DAMAGED as error:
        raise Undecodable("the image is damaged") from error


def _too_large(limits: Limits) -> Skipped:
    return Skipped(f"over the size limit: the limit is {limits.max_pixels:,} pixels")
