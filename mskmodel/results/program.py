"""This program, as the objects that it makes name it."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Final

__all__ = ["MANUFACTURER", "PROGRAM", "version"]

MANUFACTURER: Final = "MSK Labeller"
PROGRAM: Final = "msk-labeller"


@cache
def version() -> str:
    """The version of this program, such as ``0.1.0``."""
    return metadata.version(PROGRAM)
