"""A file that a command writes at its end: found to be impossible at its beginning, not after an hour of work."""

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["OutputFile", "write"]

_STANDARD_OUTPUT = Path("-")


class OutputFile(click.Path):
    """Type of an option: a path whose folder is there and can be written to; ``-`` is standard output, if allowed."""

    def __init__(self, dash: bool = False) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True, allow_dash=dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Fail as a usage error where it could not be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not (self.allow_dash and path == _STANDARD_OUTPUT) and not os.access(path.parent, os.W_OK):
            self.fail(f"cannot write {path}: {path.parent} is no folder that can be written to", param, ctx)
        return path


def write(path: Path, text: str) -> None:
    """The text as that file, or on standard output."""
    if path == _STANDARD_OUTPUT:
        click.echo(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")
