"""Augmentation of what differs between hospitals: framing, polarity, exposure, sharpness, noise, collimation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor

from mskmodel.network.preprocessing import sampled, windowed

__all__ = ["Augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a batch; each value says how large or how frequent one is."""

    flip: float = 0.5  # share mirrored left to right: left and right are the same class
    quarter_turn: float = 0.25  # share turned by 90, 180 or 270 degrees: cassettes lie in any direction
    rotation: float = 15.0  # degrees either way
    zoom: tuple[float, float] = (0.8, 1.4)  # above 1 = nearer; below 1 = farther, with black around
    stretch: float = 0.12  # largest change of the aspect
    shift: float = 0.08  # largest shift, as a share of the side
    invert: float = 0.25  # share with bright air: many files state the wrong polarity
    gamma: float = 1.8  # exponent from 1/gamma to gamma
    blur: float = 0.35  # share blurred, sigma up to 1.5 pixels
    noise: float = 0.04  # standard deviation up to this, mostly much less
    collimation: float = 0.3  # share with black borders on some sides
    patches: float = 0.3  # share with a bright or dark rectangle: markers, text, metal
    bend: float = 0.04  # largest deviation, as a share of the side: no two patients' bones have the same shape

    def __call__(self, values: Tensor, extents: Tensor, size: int, random: torch.Generator) -> Tensor:
        """Augment (n, s, s) uint8, of which (n, 2) rows and columns are picture, to (n, size, size) float32 0..1."""
        grid = self._grid(len(values), size, random)
        pictures, inside = sampled(values, extents, grid)
        pictures = self._exposed(pictures, random)
        pictures = self._disturbed(pictures, random)
        pictures = pictures * inside
        if self.collimation:
            pictures = pictures * _collimated(len(values), size, self.collimation, random)
        return windowed(pictures)

    def _grid(self, n: int, size: int, random: torch.Generator) -> Tensor:
        """Where each output pixel is taken from, (n, size, size, 2), -1..1."""
        turn = _chosen(n, self.quarter_turn, random) * torch.randint(1, 4, (n,), generator=random) * (math.pi / 2)
        angle = _between(n, -self.rotation, self.rotation, random) * (math.pi / 180) + turn
        zoom = torch.exp(_between(n, math.log(self.zoom[0]), math.log(self.zoom[1]), random))
        stretch = torch.exp(_between(n, -self.stretch, self.stretch, random))
        mirror = 1 - 2 * _chosen(n, self.flip, random)
        cos, sin = torch.cos(angle), torch.sin(angle)
        x, y = mirror / (zoom * stretch), stretch / zoom
        shift = [_between(n, -2 * self.shift, 2 * self.shift, random) for _ in range(2)]
        rows = ((x * cos, -x * sin, shift[0]), (y * sin, y * cos, shift[1]))
        grid = torch.stack([_plane(factors, size) for factors in rows], -1)
        if self.bend:
            grid += _bends(n, size, 2 * self.bend, random)
        return grid

    def _exposed(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        n = len(pictures)
        exponent = torch.exp(_between(n, -math.log(self.gamma), math.log(self.gamma), random))
        pictures = pictures.clamp(0, 1) ** exponent[:, None, None]
        invert = _chosen(n, self.invert, random)[:, None, None]
        return pictures * (1 - invert) + (1 - pictures) * invert

    def _disturbed(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        n, size = len(pictures), pictures.shape[-1]
        chosen = torch.nonzero(_chosen(n, self.blur, random))[:, 0]
        pictures[chosen] = _blurred(pictures[chosen], float(_between(1, 0.4, 1.5, random)))
        pictures = _patched(pictures, self.patches, random)
        strength = self.noise * _between(n, 0, 1, random)[:, None, None] ** 3
        noise = torch.randn((n, size, size), generator=random)
        return (pictures + noise * strength).clamp(0, 1)


def _between(n: int, low: float, high: float, random: torch.Generator) -> Tensor:
    return torch.rand(n, generator=random) * (high - low) + low


def _chosen(n: int, share: float, random: torch.Generator) -> Tensor:
    """1.0 for about ``share`` of n, else 0.0."""
    return (torch.rand(n, generator=random) < share).float()


def _plane(factors: Sequence[Tensor], size: int) -> Tensor:
    """a x + b y + c at pixel centres, (n, size, size), of (n,) factors, in a quarter of the time of `affine_grid`."""
    a, b, c = (factor[:, None, None] for factor in factors)
    centres = torch.linspace(-1, 1, size) * (size - 1) / size  # the values of `affine_grid`, to the bit
    return a * centres + (b * centres[:, None] + c)


def _bends(n: int, size: int, most: float, random: torch.Generator) -> Tensor:
    """Smooth displacements, (n, size, size, 2); each picture has its own random deviation of at most ``most``."""
    corners = torch.randn((n, 2, 6, 6), generator=random) * (most * torch.rand((n, 1, 1, 1), generator=random))
    # Bicubic between the corners, along one axis and then the other: two products instead of 16 reads per pixel.
    between = F.interpolate(torch.eye(6)[None, None], (size, 6), mode="bicubic")[0, 0]
    return (between @ corners @ between.T).permute(0, 2, 3, 1)


def _blurred(pictures: Tensor, sigma: float) -> Tensor:
    """Gaussian, cut at 4 pixels, black all around."""
    blurred = [cv2.GaussianBlur(one, (9, 9), sigma, borderType=cv2.BORDER_CONSTANT) for one in pictures.numpy()]
    return torch.from_numpy(np.stack(blurred)) if blurred else pictures


def _collimated(n: int, size: int, share: float, random: torch.Generator) -> Tensor:
    """(n, size, size): 0.0 outside a random rectangle, for about ``share`` of n."""
    coordinates = torch.arange(size)[None] / size
    keep = torch.ones(n, size, size)
    for axis in (1, 2):
        low = _between(n, -0.2, 0.2, random)[:, None]
        high = _between(n, 0.8, 1.2, random)[:, None]
        line = ((coordinates >= low) & (coordinates <= high)).float()
        keep = keep * line.unsqueeze(3 - axis)
    chosen = _chosen(n, share, random)[:, None, None]
    return keep * chosen + (1 - chosen)


def _patched(pictures: Tensor, share: float, random: torch.Generator) -> Tensor:
    """A bright or dark rectangle, up to a quarter of the side, in about ``share`` of the pictures."""
    n, size = pictures.shape[:2]
    for number in torch.nonzero(_chosen(n, share, random))[:, 0].tolist():
        height, width = (int(v) for v in torch.randint(size // 30, size // 4, (2,), generator=random))
        top, left = (
            int(torch.randint(0, size - height, (1,), generator=random)),
            int(torch.randint(0, size - width, (1,), generator=random)),
        )
        pictures[number, top : top + height, left : left + width] = float(torch.rand(1, generator=random))
    return pictures
