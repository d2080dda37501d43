"""What all copies of a picture share, whatever their headers say and however they are compressed without loss."""

import hashlib

import numpy as np

from mskmodel.radiograph import Radiograph

__all__ = ["pixel_hash"]

#: Hexadecimal digits that are kept: 128 bits.
DIGITS = 32


def pixel_hash(radiograph: Radiograph) -> str:
    """Hash of size and pixels, as they are shown; "" for a picture of a single value, which tells nothing apart."""
    pixels = np.ascontiguousarray(radiograph.pixels, dtype="<u2")
    if pixels.min() == pixels.max():
        return ""
    digest = hashlib.sha256(f"{pixels.shape[0]} {pixels.shape[1]} ".encode())
    digest.update(pixels.reshape(-1).data)
    return digest.hexdigest()[:DIGITS]
