"""A file that a command writes at its end, but checks at its start, so that an hour of work is not lost."""

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["OutputFile", "write"]

_STANDARD_OUTPUT = Path("-")


class OutputFile(click.Path):
    """Type of an option: a path in a folder that exists and is writable; ``-`` is standard output, if allowed."""

    def __init__(self, dash: bool = False) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True, allow_dash=dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a usage error if it cannot be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not (self.allow_dash and path == _STANDARD_OUTPUT) and not os.access(path.parent, os.W_OK):
            self.fail(f"cannot write {path}: {path.parent} is not a writable folder", param, ctx)
        return path


def write(path: Path, text: str) -> None:
    """Write the text to that file, or to standard output."""
    if path == _STANDARD_OUTPUT:
        click.echo(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")
