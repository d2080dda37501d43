"""Several views of one joint on one plate, as cassettes are exposed: each collimated to its part, the rest covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from mskmodel.phantoms.film import collimated, mark

__all__ = ["plate"]

Image = NDArray[np.float32]


def plate(exposures: Sequence[Image], scales: Sequence[float], side: str, rng: np.random.Generator) -> Image:
    """Put exposures, values 0..1, beside or above each other on one plate.

    scales: by how much each is shrunk, so that a millimetre is as long in all of them. side: R or L, for the markers.
    """
    unexposed = _unexposed(rng)
    parts = [_resized(image, scale) for image, scale in zip(exposures, scales, strict=True)]
    stacked = _is_better_stacked(parts) if rng.random() < 0.85 else len(parts) == 2
    parts = [_marked(part, side, unexposed, rng) for part in parts]
    if stacked:
        parts = [np.rot90(part) for part in parts]
    if rng.random() < 0.85:
        parts = _of_one_height(parts, rng)
    if rng.random() < 0.3:
        parts.reverse()
    image = _side_by_side(parts, unexposed, rng)
    if stacked:
        image = np.rot90(image, -1)
    if rng.random() < 0.12:
        image = np.rot90(image, int(rng.integers(1, 4)))
    return np.ascontiguousarray(image)


def _is_better_stacked(parts: Sequence[Image]) -> bool:
    """Whether the plate is nearer to a square, as cassettes are, with the parts above each other."""
    heights, widths = [part.shape[0] for part in parts], [part.shape[1] for part in parts]
    beside, above = sum(widths) / max(heights), sum(heights) / max(widths)
    return bool(max(above, 1 / above) < max(beside, 1 / beside))


def _unexposed(rng: np.random.Generator) -> float:
    """The shade of what no view covers: blackened by the reader, or clear as film, or grey by what leaks under lead."""
    kind = rng.random()
    if kind < 0.55:
        return float(rng.uniform(0.0, 0.06))
    return float(rng.uniform(0.85, 1.0) if kind < 0.8 else rng.uniform(0.1, 0.6))


def _resized(image: Image, scale: float) -> Image:
    rows, columns = (max(1, round(side * scale)) for side in image.shape)
    return np.asarray(Pillow.fromarray(image).resize((columns, rows), Pillow.Resampling.BILINEAR), np.float32)


def _of_one_height(parts: Sequence[Image], rng: np.random.Generator) -> list[Image]:
    """Cut what is a little higher, as where the collimator is left as it is from one exposure to the next."""
    least = min(len(part) for part in parts)
    cut = []
    for part in parts:
        top = int((len(part) - least) * rng.uniform(0.3, 0.7))
        cut.append(part[top : top + least] if len(part) <= 1.3 * least else part)
    return cut


def _marked(part: Image, side: str, unexposed: float, rng: np.random.Generator) -> Image:
    """A part with its own edges and, at times, its own side marker."""
    part = part.copy()
    if rng.random() < 0.3:
        mark(part, side, rng)
    return collimated(part, rng, unexposed) if rng.random() < 0.5 else part


def _side_by_side(parts: Sequence[Image], unexposed: float, rng: np.random.Generator) -> Image:
    """The parts with strips between and around them, each somewhere near the middle of the plate's height."""
    rows = round(max(len(part) for part in parts) * rng.uniform(1.0, 1.08))
    strip = round(rows * (rng.uniform(0.0, 0.02) if rng.random() < 0.5 else rng.uniform(0.02, 0.08)))
    ends = [round(rows * rng.uniform(0.0, 0.05)) for _ in range(2)]
    columns = sum(part.shape[1] for part in parts) + strip * (len(parts) - 1) + sum(ends)
    film = rng.normal(unexposed, 0.004, (rows, columns)).astype(np.float32)
    at = ends[0]
    for part in parts:
        top = int((rows - len(part)) * rng.uniform(0.2, 0.8))
        film[top : top + len(part), at : at + part.shape[1]] = part
        at += part.shape[1] + strip
    clipped: Image = film.clip(0, 1)
    return clipped
