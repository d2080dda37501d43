"""The logs of the processes: one file each, followed and shown together by name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

__all__ = ["LogView", "last_lines"]

#: A log that has grown beyond this becomes NAME.log.1 and starts again.
MAX_LOG_BYTES = 50_000_000
#: The most that one look reads of one log.
MAX_READ = 1_000_000


class LogView:
    """Follows the logs of a folder and hands on each new line with the name of its process.

    Use it in a `with` statement. A log is rotated by copying and truncating it, since the process
    that appends to it has it open.
    """

    def __init__(self, folder: Path, show: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._show = show
        self._files: dict[str, BinaryIO] = {}
        self._rest: dict[str, bytes] = {}

    def follow(self, name: str) -> Path:
        """Follow the log of a process, a fresh one at the first call; returns its file."""
        path = self._folder / f"{name}.log"
        if name not in self._files:
            if path.exists():
                path.replace(path.with_suffix(".log.1"))
            path.touch(mode=0o600)
            self._files[name] = path.open("rb")
            self._rest[name] = b""
        return path

    def pump(self) -> None:
        """Show what was written since the last time."""
        for name, file in self._files.items():
            *lines, rest = (self._rest[name] + file.read(MAX_READ)).split(b"\n")
            self._rest[name] = rest
            for line in lines:
                self._show(name, line.decode(errors="replace").rstrip())
            if file.tell() > MAX_LOG_BYTES:
                self._set_aside(name, file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pump()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _set_aside(self, name: str, file: BinaryIO) -> None:
        path = self._folder / f"{name}.log"
        path.with_suffix(".log.1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
        file.seek(0)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
