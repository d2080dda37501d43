"""Rehearsal: phantoms trained on beside a few corrections, so that the model keeps what these do not cover.

They are rendered once for a registry and kept as pictures, one file (a part) for each turn through all views, so that a
larger number needs only the missing parts.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mskmodel.data.dataset import STORED, Pictures, read_pictures
from mskmodel.data.labels_file import Labelled
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.phantoms import RenderingUnavailable, making
from mskmodel.phantoms.views import NAMES, TURN

__all__ = ["RenderingUnavailable", "part_path", "rehearsal"]

#: Seed of the first part, far from the seeds that people choose for other phantoms.
_SEED = 7_001


def rehearsal(
    root: Path,
    count: int,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Pictures:
    """The first ``count`` phantoms. A view that is no class is none of the classes.

    Args:
        classes: keys that number the labels; for a model with other kinds, these too, behind the classes.
        root: the registry's folder; the pictures are kept below ``root / "rehearsal"``.
        workers: processes that render.
        progress: called with the number of phantoms that are ready and with ``count``; may raise to stop.

    Raises OSError, and RenderingUnavailable where phantoms are missing and cannot be rendered.
    """
    parts: list[Pictures] = []
    for first in range(0, count, len(TURN)):
        path = part_path(root, preprocessing, len(parts))
        if not path.exists():
            told = partial(_told, progress, first, count)
            _render(path, _SEED + len(parts), preprocessing, workers, told)
        parts.append(Pictures.load(path))
        progress(min(first + len(TURN), count), count)
    return _labelled(parts, count, classes)


def part_path(root: Path, preprocessing: Preprocessing, part: int) -> Path:
    """File of one turn through all views; its pictures are labelled with the numbers of their views in ``NAMES``."""
    views = hashlib.sha256("\n".join((*NAMES, *TURN)).encode()).hexdigest()[:8]
    return root / "rehearsal" / f"{preprocessing.framing}-{views}" / f"{_SEED + part}.npz"


def _told(progress: Callable[[int, int], None], first: int, count: int, done: int) -> None:
    progress(min(first + done, count), count)


def _labelled(parts: Sequence[Pictures], count: int, classes: Sequence[str]) -> Pictures:
    shown = Pictures.joined(parts).part(np.arange(count)) if parts else _nothing()
    number = {key: index for index, key in enumerate(classes)}
    of_view = np.array([number.get(name, len(classes)) for name in NAMES], np.int64)
    return Pictures(shown.values, shown.extents, of_view[shown.labels])


def _render(path: Path, seed: int, preprocessing: Preprocessing, workers: int, progress: Callable[[int], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rendering-", dir=path.parent) as directory:
        folder = Path(directory)
        truth = making.make(folder, len(TURN), seed, workers, TURN, lambda done, _: progress(done))
        rows = [Labelled(folder / row.file, row.shows) for row in truth]
        reading = read_pictures(rows, NAMES, preprocessing)
    if reading.unreadable:
        first = reading.unreadable[0]
        raise RenderingUnavailable(f"a phantom cannot be read back: {first.file.name}: {first.reason}")
    reading.pictures.save(path)


def _nothing() -> Pictures:
    return Pictures(np.zeros((0, STORED, STORED), np.uint8), np.zeros((0, 2), np.int16), np.zeros(0, np.int64))
