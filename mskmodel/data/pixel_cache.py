"""A cache of framed pictures, shared by all snapshots: one file for each DICOM file, named by its MD5."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.network.preprocessing import STORED, Preprocessing
from mskmodel.radiograph import Radiograph

__all__ = ["PixelCache"]


class PixelCache:
    """Framed pictures below ``root / "pixels"``, in one folder for each window and size.

    A file holds one picture without its padding, (rows, columns) uint8. Several processes may share the cache.
    """

    def __init__(self, root: Path, preprocessing: Preprocessing) -> None:
        self._folder = root / "pixels" / preprocessing.framing
        self._preprocessing = preprocessing

    def add(self, md5: str, radiograph: Radiograph) -> None:
        """Frame the radiograph and keep its picture, whole or not at all."""
        picture = self._preprocessing.frame(radiograph)
        top, left = (STORED - picture.rows) // 2, (STORED - picture.columns) // 2
        path = self._path(md5)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".partial-", dir=path.parent, delete=False) as file:
            try:
                np.save(file, picture.values[top : top + picture.rows, left : left + picture.columns])
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise

    def find(self, md5: str) -> NDArray[np.uint8] | None:
        """The picture, (rows, columns); None where it is not in the cache or damaged."""
        try:
            values = np.load(self._path(md5), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = isinstance(values, np.ndarray) and values.dtype == np.uint8 and values.ndim == 2
        return values if whole and values.size and max(values.shape) == STORED else None

    def _path(self, md5: str) -> Path:
        return self._folder / md5[:2] / f"{md5}.npy"
