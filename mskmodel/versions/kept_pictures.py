"""Small pictures of a version's hold-out, kept beside its weights: people look at those on which two versions differ.

Needs no torch. The file holds pixels and nothing else, above all no header's text.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PICTURES", "kept_names", "kept_picture", "packed"]

#: File beside the weights: a WebP a picture, by its identifier.
PICTURES = "pictures.zip"
#: Longer side, pixels.
SIDE = 192
#: Of WebP, 0..100: some 5 KB a picture.
QUALITY = 80


def packed(pictures: Sequence[str], look: Callable[[int], NDArray[np.uint8]]) -> bytes:
    """Content of the file. ``look``: the pixels of the picture in that place, (rows, columns) uint8."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, row in {name: row for row, name in enumerate(pictures)}.items():
            image, content = Image.fromarray(look(row)), BytesIO()
            image.thumbnail((SIDE, SIDE))
            image.save(content, "WEBP", quality=QUALITY)
            archive.writestr(zipfile.ZipInfo(name), content.getvalue())
    return file.getvalue()


def kept_names(directory: Path) -> frozenset[str]:
    """The identifiers of the pictures that are kept with the version in that directory."""
    try:
        with zipfile.ZipFile(directory / PICTURES) as archive:
            return frozenset(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()


def kept_picture(directory: Path, name: str) -> bytes | None:
    """A picture as WebP; None if none of that name is kept with the version in that directory."""
    try:
        with zipfile.ZipFile(directory / PICTURES) as archive:
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
