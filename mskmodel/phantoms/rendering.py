"""A phantom: pixels as a detector would store them, and the truth about them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.claims import HeaderClaim, claim, named
from mskmodel.phantoms.exposure import expose
from mskmodel.phantoms.film import beside, finish
from mskmodel.phantoms.plate import plate
from mskmodel.phantoms.scene import Projection, project
from mskmodel.phantoms.views import CLASSES, VIEWS

__all__ = ["Phantom", "exposures", "render"]

#: Views of which both sides are often taken on one film.
_PAIRED = ("hand_ap", "foot_ap", "foot_oblique", "wrist")
#: Views that have no side.
_UNPAIRED = ("pelvis_ap", "pelvis_frog", "spine", "chest", "neck", "skull")


@dataclass(frozen=True)
class Phantom:
    """One synthetic radiograph.

    pixels: uint16 (rows, columns), 0..2**bits - 1, as stored, so dark where dense under MONOCHROME1.
    label: the class key, empty for a neighbour; shows: the view's name; position: its View Position; side: R, L, B
    (both) or U (unpaired).
    claim: what a header says of it, which may be wrong; pixel_mm: spacing of the pixels at the detector.
    """

    pixels: NDArray[np.uint16]
    bits: int
    photometric: str
    label: str
    shows: str
    position: str
    side: str
    pixel_mm: float
    seed: int
    claim: HeaderClaim

    def bright(self) -> NDArray[np.uint16]:
        """The pixels in MONOCHROME2 sense: bright where dense."""
        return self.pixels if self.photometric == "MONOCHROME2" else np.uint16(2**self.bits - 1) - self.pixels


def render(name: str, seed: int) -> Phantom:
    """One phantom of a class or a neighbour; the same seed gives the same pixels.

    Raises KeyError for an unknown name, RenderingUnavailable where nothing can be rendered.
    """
    return next(exposures(name, seed, 1))


def exposures(name: str, seed: int, count: int, side: str = "") -> Iterator[Phantom]:
    """Phantoms of one projection and side, each with another exposure, crop and film; the first is `render`'s.

    side: R or L to decide it, where the view has one.
    """
    rng = _generator(name, seed, 0)
    projections = project(name, rng, pixels_along=int(rng.integers(360, 449)))
    left = side == "L" if side else None
    for number in range(count):
        phantom, left = _phantom(name, seed, projections, _generator(name, seed, number + 1), left)
        yield phantom


def _phantom(
    name: str, seed: int, projections: Sequence[Projection], rng: np.random.Generator, left: bool | None
) -> tuple[Phantom, bool | None]:
    """A phantom, and whether its patient's side is the left one, None if undecided. ``left``: the same, until now."""
    shown = [_cropped(expose(one, rng), rng) for one in projections]
    view, pixel_mm = projections[0].view, max(one.detector_mm for one in projections)
    side = "R"
    if name in _PAIRED and rng.random() < 0.15:
        shown, side = [beside(shown[0], shown[0][:, ::-1], rng)], "B"
    else:
        drawn = bool(rng.random() < 0.5)
        left = drawn if left is None else left
        if left:
            shown, side = [image[:, ::-1] for image in shown], "L"
    if view.both:
        side = "B"
    marker = side if side != "B" else "R"
    if view.beside:
        shown = [plate(shown, [one.detector_mm / pixel_mm for one in projections], marker, rng)]
    image = finish(shown[0], marker, rng, collimate=not view.beside)
    bits = int(rng.choice([8, 10, 12, 12, 12, 14, 15, 16]))
    photometric = "MONOCHROME1" if rng.random() < 0.3 else "MONOCHROME2"
    stored = image if photometric == "MONOCHROME2" else 1 - image
    # Few detectors use all their bits.
    low, high = np.sort(rng.uniform((0.0, 0.5), (0.1, 1.0))) if bits > 8 else (0.0, 1.0)
    pixels = np.clip((low + stored * (high - low)) * (2**bits - 1), 0, 2**bits - 1).round().astype(np.uint16)
    label, true_side = name if name in CLASSES else "", "U" if name in _UNPAIRED else side
    part, position = view.part or named(name)[0], view.position or named(name)[1]
    claimed = claim(part, position, true_side, rng)
    return Phantom(pixels, bits, photometric, label, name, position, true_side, pixel_mm, seed, claimed), left


def _cropped(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    rows, columns = image.shape
    keep = rng.uniform(0.86, 1.0, 2)
    top, left = (rng.uniform(0, 1 - keep) * (rows, columns)).astype(int)
    return image[top : top + int(rows * keep[0]), left : left + int(columns * keep[1])]


def _generator(name: str, seed: int, stream: int) -> np.random.Generator:
    if name not in VIEWS:
        raise KeyError(f"no view is called {name!r}; there are {', '.join(VIEWS)}")
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    return np.random.default_rng([key, seed, stream])
