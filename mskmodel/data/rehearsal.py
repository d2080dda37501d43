"""Phantoms to learn from beside a few corrections, so that what those do not show is not forgotten.

Rendered once for a registry and kept as pictures, a part for each turn through all views: a larger number needs only
the parts that are missing. One phantom in five is held out, of each view, the same ones always.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import STORED, Labelled, Pictures, read_pictures
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.phantoms import RenderingUnavailable, making
from mskmodel.phantoms.views import NAMES, TURN

__all__ = ["HELD_OUT_OF", "RenderingUnavailable", "part_path", "rehearsal"]

#: One phantom in so many is held out.
HELD_OUT_OF = 5
#: Of all phantoms that are rehearsed; far from what a person would choose for others.
_SEED = 7_001


def rehearsal(
    root: Path,
    count: int,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> tuple[Pictures, Pictures]:
    """To train on, and held out: ``count`` phantoms in all; a view that is no class is none of the classes.

    Args:
        root: of the registry; the pictures are kept below ``root / "rehearsal"``.
        workers: processes that render.
        progress: told the number of phantoms that are ready, and of how many; may raise to stop.

    Raises RenderingUnavailable where phantoms are missing and none can be rendered, OSError.
    """
    parts: list[Pictures] = []
    for first in range(0, count, len(TURN)):
        path = part_path(root, preprocessing, len(parts))
        if not path.exists():
            told = partial(_told, progress, first, count)
            _render(path, _SEED + len(parts), preprocessing, workers, told)
        parts.append(Pictures.load(path))
        progress(min(first + len(TURN), count), count)
    return _split(parts, count, classes)


def part_path(root: Path, preprocessing: Preprocessing, part: int) -> Path:
    """Where that turn through all views is kept; its pictures' labels are the numbers of the views in ``NAMES``."""
    views = hashlib.sha256("\n".join((*NAMES, *TURN)).encode()).hexdigest()[:8]
    return root / "rehearsal" / f"{preprocessing.framing}-{views}" / f"{_SEED + part}.npz"


def _told(progress: Callable[[int, int], None], first: int, count: int, done: int) -> None:
    progress(min(first + done, count), count)


def _split(parts: Sequence[Pictures], count: int, classes: Sequence[str]) -> tuple[Pictures, Pictures]:
    shown = Pictures.joined(parts).part(np.arange(count)) if parts else _nothing()
    number = {key: index for index, key in enumerate(classes)}
    of_view = np.array([number.get(name, len(classes)) for name in NAMES], np.int64)
    labelled = Pictures(shown.values, shown.extents, of_view[shown.labels])
    held_out = _held_out(shown.labels)
    return labelled.part(~held_out), labelled.part(held_out)


def _held_out(views: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each view one time in five that it comes, at another time than the view before it."""
    times = np.zeros(len(NAMES), np.int64)
    held_out = np.zeros(len(views), np.bool_)
    for number, view in enumerate(views):
        held_out[number] = (times[view] + view) % HELD_OUT_OF == HELD_OUT_OF - 1
        times[view] += 1
    return held_out


def _render(path: Path, seed: int, preprocessing: Preprocessing, workers: int, progress: Callable[[int], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".rendering-", dir=path.parent) as directory:
        folder = Path(directory)
        truth = making.make(folder, len(TURN), seed, workers, TURN, lambda done, _: progress(done))
        rows = [Labelled(folder / row.file, row.shows) for row in truth]
        pictures, unreadable = read_pictures(rows, NAMES, preprocessing)
    if unreadable:
        raise RenderingUnavailable(f"a phantom cannot be read back: {unreadable[0].file.name}: {unreadable[0].reason}")
    pictures.save(path)


def _nothing() -> Pictures:
    return Pictures(np.zeros((0, STORED, STORED), np.uint8), np.zeros((0, 2), np.int16), np.zeros(0, np.int64))
