"""Debian's dicom3tools: what they say of DICOM files."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


def complaints(data: bytes) -> list[str]:
    """What `dciodvfy` finds wrong with one file, each once."""
    return sorted({line for line in _said("dciodvfy", [data]) if line.startswith(("Error", "Warning", "Abort"))})


def errors(data: bytes) -> list[str]:
    """The errors among them."""
    return [line for line in complaints(data) if not line.startswith("Warning")]


def contradictions(files: Sequence[bytes]) -> list[str]:
    """The errors that `dcentvfy` finds between files of a study."""
    return [line for line in _said("dcentvfy", files) if not line.startswith("Warning")]


def _said(tool: str, files: Sequence[bytes]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.dcm" for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        done = subprocess.run([tool, *map(str, paths)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode("latin-1").splitlines()
    assert tool != "dciodvfy" or lines, "dciodvfy says at least what kind of object it is"
    return lines
