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
    try:
        partial.write_bytes(content)
        settle(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk it would take what room there is
        raise
