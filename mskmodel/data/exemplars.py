"""Exemplars: real radiographs under open licences, rehearsed beside a site's corrections.

They are kept with the program as small pictures, framed as the network's pictures are, with a table that names the
licence and the author of each. A version whose pictures are framed in another way cannot rehearse them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mskmodel.data.dataset import Pictures
from mskmodel.data.labels_file import PATIENT
from mskmodel.network.preprocessing import STORED, Picture, Preprocessing
from mskmodel.tables.table import Row, read_table, write_table
from mskmodel.whole_file import write_whole

__all__ = ["COLUMNS", "FOLDER", "TABLE", "is_free", "read_exemplars", "select", "write_exemplars"]

#: The exemplars that come with the program.
FOLDER: Final = Path(__file__).parents[1] / "exemplars"
TABLE: Final = "exemplars.csv"
#: ``label``: a class or another known view, or none; ``shows``: what is seen, in words that may name a class of a site.
COLUMNS: Final = ("file", "label", "shows", "patient", "licence", "attribution", "source")
#: Licences that let anybody pass a changed picture on, with its author's name, under the terms of the whole.
_FREE: Final = ("CC0 ", "CC BY ", "Public domain")
#: Of JPEG: the mean error of a pixel is 0.6 of 255, and a picture takes 9 kB.
_QUALITY: Final = 85


def is_free(licence: str) -> bool:
    """Whether pictures under this licence may be exemplars: CC0, public domain and CC BY, not CC BY-SA or CC BY-NC."""
    return f"{licence} ".startswith(_FREE)


def select(rows: Sequence[Row], most: int) -> list[Row]:
    """At most ``most`` rows of each label, in their order: of as many sources, and then patients, as there are."""
    waiting: dict[str, list[Row]] = {}
    for row in rows:
        waiting.setdefault(row["label"], []).append(row)
    chosen: list[Row] = []
    for shown in waiting.values():
        drawn: Counter[tuple[str, ...]] = Counter()
        for _ in range(min(most, len(shown))):
            # The one whose source, and then whose patient, has been drawn least often; the first of these.
            one = min(shown, key=lambda row: (drawn[row["source"],], drawn[row["source"], row[PATIENT]]))
            shown.remove(one)
            drawn.update([(one["source"],), (one["source"], one[PATIENT])])
            chosen.append(one)
    return [row for row in rows if row in chosen]


def write_exemplars(folder: Path, pictures: Pictures, rows: Sequence[Row]) -> None:
    """Write pictures, then the table, whose columns come from the ``rows``, one for each picture. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for values, (height, width), row in zip(pictures.values, pictures.extents.tolist(), rows, strict=True):
        top, left = (STORED - height) // 2, (STORED - width) // 2
        file = BytesIO()
        shown = Image.fromarray(values[top : top + height, left : left + width])
        shown.save(file, "JPEG", quality=_QUALITY, optimize=True)
        write_whole(folder / _name(row["file"]), file.getvalue())
    lines = [(_name(row["file"]), *(row[column] for column in COLUMNS[1:])) for row in rows]
    write_table(folder / TABLE, COLUMNS, lines)


def read_exemplars(
    classes: Sequence[str],
    preprocessing: Preprocessing,
    without: Sequence[tuple[str, str]] = (),
    patients: Collection[str] = (),
    folder: Path = FOLDER,
) -> Pictures:
    """The exemplars of ``folder``; none where pictures are framed in another way than they are.

    One that shows none of ``classes`` counts as none of them. ``without``: (column, text) pairs; exemplars with that
    text anywhere in that column are left out, and so are those of ``patients``. Raises TableError, and OSError for a
    picture that cannot be read.
    """
    rows: list[Row] = []
    if preprocessing.framing == Preprocessing().framing:
        rows = [
            row
            for row in read_table(folder / TABLE, *COLUMNS).rows
            if row[PATIENT] not in patients and not any(text in row[column] for column, text in without)
        ]
    labels = [next((row[c] for c in ("shows", "label") if row[c] in classes), None) for row in rows]
    return Pictures.framed([_picture(folder / row["file"]) for row in rows], labels, classes)


def _name(file: str) -> str:
    """Name of an exemplar's picture, from the path of its file within its folder."""
    return "-".join(Path(file).with_suffix(".jpg").parts)


def _picture(file: Path) -> Picture:
    with Image.open(file) as image:
        values: NDArray[np.uint8] = np.asarray(image.convert("L"), np.uint8)
    return Picture.padded(values, STORED)
