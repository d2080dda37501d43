"""A report as one HTML page that needs nothing else: no scripts, no fonts, no pictures from elsewhere.

It can be mailed, archived, and opened on a machine without a network. Texts are escaped; figures come from `plots`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Figure", "Figures", "Item", "Picture", "Pictures", "Section", "Table", "page"]


@dataclass(frozen=True)
class Table:
    """A table of formatted texts; each row is as long as ``head``."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """An ``<svg>`` element of `plots`, and a sentence under it."""

    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Figures:
    """Figures, side by side where there is room."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Picture:
    """A radiograph to look at. ``address``: a data URI, from ``of``; ``lines``: what stands under it, at least one."""

    address: str
    lines: Sequence[str]

    @classmethod
    def of(cls, values: NDArray[np.uint8], lines: Sequence[str]) -> Picture:
        """From (rows, columns) uint8. The PNG holds pixels and nothing else, above all no header's text."""
        file = BytesIO()
        Image.fromarray(values).save(file, "PNG", optimize=True)
        return cls("data:image/png;base64," + base64.b64encode(file.getvalue()).decode(), lines)


@dataclass(frozen=True)
class Pictures:
    """A gallery."""

    pictures: Sequence[Picture]


#: Content of a section; a string is a paragraph.
Item = str | Table | Figures | Pictures


@dataclass(frozen=True)
class Section:
    """A heading and the items under it."""

    heading: str
    items: Sequence[Item]


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The report as an HTML page. ``lead``: the sentence under the title."""
    return _template().render(title=title, lead=lead, sections=sections)


@cache
def _template() -> Template:
    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("report.html.jinja")
