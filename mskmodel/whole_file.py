"""Writes files atomically: whole or not at all, even if the machine stops."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["settle", "write_whole"]


def settle(partial: Path, path: Path) -> None:
    """Put a finished file in the place of ``path``, once the disk has it. Raises OSError."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    settle(partial, path)
