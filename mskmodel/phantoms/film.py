"""What is added to an exposure: collimation, borders, plate artefacts, side markers, text; a second limb beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["beside", "collimated", "finish", "mark"]

Image = NDArray[np.float32]

_TEXTS = ("ERECT", "SUPINE", "PORTABLE", "WEIGHT BEARING", "XR", "PACS TEST", "POST OP", "14:05", "AP", "LAT")


def finish(image: Image, side: str, rng: np.random.Generator, *, collimate: bool = True) -> Image:
    """Add collimation, markers and borders to an exposure, values 0..1. side: R or L, for the marker."""
    image = image.copy()
    if rng.random() < 0.55 and collimate:
        image = collimated(image, rng)
    if rng.random() < 0.3:
        _stain(image, rng)
    if rng.random() < 0.55:
        mark(image, side, rng)
    if rng.random() < 0.12:
        _badge(image, side, rng)
    if rng.random() < 0.04:
        _point_out(image, rng)
    if rng.random() < 0.2:
        for _ in range(int(rng.integers(1, 4))):
            _write(image, str(rng.choice(_TEXTS)), rng, int(rng.integers(9, 16)), rng.uniform(0.6, 1.0))
    if rng.random() < 0.15:
        _edge(image, rng)
    if rng.random() < 0.2:
        image = _matted(image, rng)
    return image


def beside(left: Image, right: Image, rng: np.random.Generator) -> Image:
    """Two exposures on one film with a gap between them."""
    rows = max(left.shape[0], right.shape[0])
    gap = np.full((rows, int(rng.integers(0, 12))), rng.uniform(0, 1) ** 4, np.float32)
    padded = [np.pad(one, ((0, rows - one.shape[0]), (0, 0)), constant_values=one.min()) for one in (left, right)]
    return np.concatenate([padded[0], gap, padded[1]], axis=1)


def collimated(image: Image, rng: np.random.Generator, outside: float | None = None) -> Image:
    """Blades that shade each side by up to an eighth, askew, over black or, seldom, white; or over this shade."""
    rows, columns = image.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    angle = np.radians(rng.normal(0, 2.5 if rng.random() < 0.8 else 9.0))
    across = (x - columns / 2) * np.cos(angle) + (y - rows / 2) * np.sin(angle)
    along = (y - rows / 2) * np.cos(angle) - (x - columns / 2) * np.sin(angle)
    shaded = rng.uniform(-0.05, 0.13, 4)
    inside = np.minimum(
        np.minimum(columns * (0.5 - shaded[0]) - across, columns * (0.5 - shaded[1]) + across),
        np.minimum(rows * (0.5 - shaded[2]) - along, rows * (0.5 - shaded[3]) + along),
    )
    lit = np.clip(inside / rng.uniform(0.6, 2.5) + 0.5, 0, 1)
    if outside is None:
        outside = rng.uniform(0.85, 1.0) if rng.random() < 0.12 else rng.uniform(0.0, 0.06)
    leaked = outside + (rng.uniform(0, 0.15) * image if outside < 0.5 else 0.0)
    shaded_film: Image = (image * lit + leaked * (1 - lit)).astype(np.float32)
    return shaded_film


def mark(image: Image, side: str, rng: np.random.Generator) -> None:
    """Draw R or L: a lead letter on a plate of plastic, or a printed one."""
    if rng.random() < 0.35:  # a lead letter on a plate of plastic
        rows, columns = image.shape
        height = int(rng.uniform(0.03, 0.06) * max(rows, columns))
        top = int(rng.uniform(0.03, 0.85) * (rows - 2 * height))
        left = int((0.03 if rng.random() < 0.5 else 0.9) * (columns - height))
        image[top : top + height, left : left + height] = np.clip(
            image[top : top + height, left : left + height] + 0.45, 0, 1
        )
    word = side if rng.random() < 0.8 else side + str(rng.choice(["", " 12", "MB", " AP"]))
    _write(image, word, rng, int(rng.uniform(0.03, 0.075) * max(image.shape)), rng.uniform(0.75, 1.0))


def _write(image: Image, text: str, rng: np.random.Generator, size: int, value: float) -> None:
    from PIL import ImageFont

    rows, columns = image.shape
    x = rng.choice([rng.uniform(0.01, 0.2), rng.uniform(0.7, 0.93)]) * columns
    y = rng.choice([rng.uniform(0.01, 0.3), rng.uniform(0.6, 0.93), rng.uniform(0.0, 0.95)]) * rows
    font = ImageFont.load_default(size=max(8, size))
    _draw(
        image,
        lambda pen: pen.text((x, y), text, fill=255, font=font),
        value,
        float(rng.normal(0, 12)) if rng.random() < 0.3 else 0.0,
    )


def _draw(image: Image, drawing: Callable[[ImageDraw], None], value: float, degrees: float = 0.0) -> None:
    """Put a drawing on the film in one shade."""
    from PIL import Image as Pillow
    from PIL import ImageDraw as Pens

    canvas = Pillow.new("L", image.shape[::-1])
    drawing(Pens.Draw(canvas))
    ink = np.asarray(canvas.rotate(degrees) if degrees else canvas, np.float32) / 255
    image += ink * (np.float32(value) - image)


def _stain(image: Image, rng: np.random.Generator) -> None:
    """What a plate and its reader leave on a film: uneven darkness, lines along the rows."""
    rows, columns = image.shape
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)
    slope = rng.normal(0, 0.03, 2)
    lines = gaussian_filter1d(rng.standard_normal(rows), rng.uniform(0.5, 6.0))
    lines *= rng.uniform(0.0, 0.012) / max(float(lines.std()), 1e-6)
    image += (rng.normal(0, 0.05) * (x * x + y * y) + slope[0] * x + slope[1] * y + lines[:, None]).astype(np.float32)
    np.clip(image, 0, 1, out=image)


def _badge(image: Image, side: str, rng: np.random.Generator) -> None:
    """A clinic's stamp in the image: a white square with a dark sign in it, and small print below."""
    rows, columns = image.shape
    size = max(6, int(rng.uniform(0.04, 0.08) * max(rows, columns)))
    if min(rows, columns) < 4 * size:
        return
    top, left = int(rng.uniform(0.1, 0.9) * (rows - 2 * size)), int(rng.uniform(0.0, 1.0) * (columns - size))
    image[top : top + size, left : left + size] = rng.uniform(0.85, 1.0)
    inner = rng.uniform(0.2, 0.8, (size // 2, size // 2)) < 0.5
    edge = size // 4
    image[top + edge : top + edge + size // 2, left + edge : left + edge + size // 2][inner] = 0.1
    _draw(image, lambda pen: pen.text((left, top + size + 2), side, fill=255), 0.9)


def _point_out(image: Image, rng: np.random.Generator) -> None:
    """An arrow or a ring that somebody drew on the film."""
    rows, columns = image.shape
    x, y = float(rng.uniform(0.2, 0.8) * columns), float(rng.uniform(0.2, 0.8) * rows)
    size, width = float(rng.uniform(0.04, 0.1) * max(rows, columns)), int(rng.integers(1, 4))
    away = 1.0 if rng.random() < 0.5 else -1.0
    head = [(x, y), (x + away * size * 0.6, y - size * 0.4), (x + away * size * 0.6, y + size * 0.4)]

    def arrow(pen: ImageDraw) -> None:
        pen.line([(x, y), (x + away * 2 * size, y)], fill=255, width=2 * width)
        pen.polygon(head, fill=255)

    def ring(pen: ImageDraw) -> None:
        pen.ellipse([x - size / 2, y - size, x + size / 2, y + size], outline=255, width=width)

    _draw(image, arrow if rng.random() < 0.6 else ring, rng.uniform(0.0, 1.0))


def _edge(image: Image, rng: np.random.Generator) -> None:
    """A bright strip where the plate was not exposed, seldom straight."""
    rows, columns = image.shape
    across = np.linspace(-1, 1, columns)
    depth = rng.uniform(0.005, 0.06) + rng.normal(0, 0.012) * across + rng.normal(0, 0.015) * across**2
    y = np.arange(rows)[:, None] if rng.random() < 0.4 else np.arange(rows)[::-1, None]
    image[y < depth * rows] = rng.uniform(0.7, 1.0)


def _matted(image: Image, rng: np.random.Generator) -> Image:
    """A border of one shade round the whole film, up to a quarter of its side wide: a plate's, or padding."""
    pads = (rng.uniform(0, rng.choice([0.1, 0.25]), 4) * max(image.shape)).astype(int)
    shade = rng.uniform(0.9, 1.0) if rng.random() < 0.3 else rng.uniform(0.0, 0.1)
    return np.pad(image, ((pads[0], pads[1]), (pads[2], pads[3])), constant_values=np.float32(shade))
