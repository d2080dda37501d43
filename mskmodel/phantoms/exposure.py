"""From path lengths to a film: attenuation, scatter, noise, and the processing that gives a radiograph its look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from mskmodel.phantoms.scene import Projection

__all__ = ["expose"]

Image = NDArray[np.float32]

#: Attenuation per centimetre: the range over patients and tube voltages.
_MUSCLE, _FAT = 0.205, 0.178
_CORTEX = (0.50, 0.85)
#: Of marrow, and by how much more the spongy bone around it attenuates.
_MARROW, _SPONGY = 0.195, (0.03, 0.17)
_METAL, _PLASTER = 2.6, (0.08, 0.3)


def expose(projection: Projection, rng: np.random.Generator) -> Image:
    """One exposure, float32 (rows, columns), 0 black to 1 white, bright where dense."""
    attenuation = _attenuation(projection, rng)
    recorded = _detected(attenuation, projection.lengths["skin"] > 0.3, rng)
    metal = projection.lengths["metal"] > 0.05
    return _developed(recorded, projection.lengths["skin"], metal, projection.view.whitest, rng)


def _attenuation(projection: Projection, rng: np.random.Generator) -> Image:
    length = projection.lengths
    bone, marrow = length["bone"], np.minimum(length["marrow"], length["bone"])
    muscle = np.minimum(length["muscle"], length["skin"])
    air = np.minimum(length["air"], muscle)
    trabeculae = 1 + rng.uniform(0.0, 0.03) * _grain(rng, bone.shape, rng.uniform(0.2, 0.55) / projection.pixel_mm)
    patches = 1 + rng.uniform(0.0, 0.02) * _grain(rng, bone.shape, 7.0 / projection.pixel_mm)
    soft = 1 + rng.uniform(0.0, 0.012) * _grain(rng, bone.shape, 9.0 / projection.pixel_mm)
    hard, lung = rng.uniform(0.55, 1.25), rng.uniform(0.5, 0.8)
    through = _FAT * (length["skin"] - muscle) + _MUSCLE * soft * np.maximum(muscle - bone - lung * air, 0)
    through += hard * rng.uniform(*_CORTEX) * (bone - marrow)
    through += (_MARROW + hard * rng.uniform(*_SPONGY)) * marrow * trabeculae * patches
    through += _METAL * length["metal"] + rng.uniform(*_PLASTER) * length["cast"] * patches
    softened: Image = (through / (1 + rng.uniform(0.0, 0.05) * through)).astype(np.float32)
    return softened


def _detected(attenuation: Image, body: NDArray[np.bool_], rng: np.random.Generator) -> Image:
    """Logarithm of what the detector saw: scatter, uneven beam, unsharpness and quantum noise."""
    rows, columns = attenuation.shape
    primary = np.exp(-np.minimum(attenuation, 12.0))
    scatter = rng.uniform(0.0, 0.35) ** 1.5 * _blurred(primary * (1 - primary), 0.07 * max(rows, columns))
    slope = rng.normal(0, 0.12, 2)
    heel = 1 + slope[0] * np.linspace(-1, 1, rows)[:, None] + slope[1] * np.linspace(-1, 1, columns)
    seen = gaussian_filter((primary + scatter) * np.clip(heel, 0.5, 1.5), rng.uniform(0.2, 1.1))
    # Automatic exposure: the median pixel behind the patient gets 1,200 to 30,000 photons.
    photons = np.exp(rng.uniform(np.log(1200), np.log(3e4))) / (np.median(seen[body]) if body.any() else 1.0)
    noise = gaussian_filter(rng.standard_normal(seen.shape), rng.uniform(0.0, 0.7))
    seen = np.maximum(seen + noise * np.sqrt(seen / photons), 2e-6)
    if rng.random() < 0.06:  # an antiscatter grid that stood still
        seen *= 1 + rng.uniform(0.005, 0.03) * np.sin(np.arange(columns) * rng.uniform(0.6, 2.8))
    logged: Image = -np.log(seen).astype(np.float32)
    return logged


def _developed(
    recorded: Image, skin: Image, metal: NDArray[np.bool_], whitest: tuple[float, float], rng: np.random.Generator
) -> Image:
    """Dynamic range compression, edge enhancement, window, and the film's characteristic curve."""
    size = max(recorded.shape)
    body = (skin > 0.3) & ~metal
    if body.sum() < 50:
        body = np.ones(recorded.shape, bool)
    calm = np.minimum(recorded, np.percentile(recorded[body], 99.7) * 1.15)
    base = _blurred(calm, size * rng.uniform(0.03, 0.09))
    # From toe to heel, attenuation differs more than a film can show; the processing decides how much of it remains.
    reach = float(np.ptp(np.percentile(base[body], (5, 95))))
    compression = np.clip(1 - np.exp(rng.uniform(np.log(0.4), np.log(2.0))) / max(reach, 1e-3), 0.0, 0.85)
    shaped = calm - compression * base + compression * rng.uniform(0.0, 0.75) * base.mean()
    for width, most in ((rng.uniform(0.8, 2.0), 0.75), (size * rng.uniform(0.01, 0.03), 0.3)):
        shaped = shaped + rng.uniform(0.0, most) * (calm - _blurred(calm, width))
    air = float(np.percentile(shaped[skin < 0.05], 50)) if (skin < 0.05).mean() > 0.01 else float(shaped.min())
    thin, middle = np.percentile(shaped[body], (3, 45))
    black = air + rng.uniform(-0.15, 0.75) * (min(thin, middle) - air)
    white = np.percentile(shaped[body], rng.uniform(*whitest))
    value = (shaped - black) / max(white * rng.uniform(0.92, 1.12) - black, 1e-3)
    curve = rng.uniform(0.0, 1.0)
    value = np.where(value < 1, value, 1 + np.tanh((value - 1) * 2) / 8)
    value = np.clip(value / 1.08, 0, 1)
    # Histogram equalisation over the patient, to a random degree.
    levels = np.quantile(value[body], np.linspace(0, 1, 33))
    equalised = np.interp(value, levels + 1e-6 * np.arange(33), np.linspace(0, 1, 33), left=0.0)
    value = value + rng.uniform(0.0, 0.6) * (value > 0) * (equalised - value)
    # The characteristic curve is chosen, as a technician would, so that soft tissue becomes a middle grey.
    soft = float(np.clip(np.median(value[body]), 0.02, 0.97))
    value = value ** np.clip(np.log(rng.uniform(0.22, 0.62)) / np.log(soft), 0.45, 2.5)
    sigmoid = value * value * (3 - 2 * value)
    value = (1 - 0.6 * curve) * value + 0.6 * curve * sigmoid
    floor = rng.uniform(0, 0.14) if rng.random() < 0.7 else 0.0
    developed: Image = (floor + (1 - floor) * value).astype(np.float32)
    return developed


def _grain(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Image:
    """Band-limited noise of unit deviation, with grains `scale` pixels wide, a little longer along the columns."""
    shrink = max(1, int(scale / 2))
    small = rng.standard_normal((shape[0] // shrink + 2, shape[1] // shrink + 2))
    smooth = gaussian_filter(small, (1.4 * scale / shrink, scale / shrink))
    grain = zoom(smooth, shrink, order=1)[: shape[0], : shape[1]] if shrink > 1 else smooth[: shape[0], : shape[1]]
    scaled: Image = (grain / max(float(grain.std()), 1e-6)).astype(np.float32)
    return scaled


def _blurred(image: Image, sigma: float) -> Image:
    """A wide Gaussian, done on a smaller image where it is very wide."""
    shrink = max(1, int(sigma / 4))
    if shrink == 1:
        narrow: Image = gaussian_filter(image, sigma)
        return narrow
    rows, columns = image.shape
    small = image[: rows // shrink * shrink, : columns // shrink * shrink]
    small = small.reshape(rows // shrink, shrink, columns // shrink, shrink).mean((1, 3))
    small = gaussian_filter(small, sigma / shrink)
    factors = (rows / small.shape[0], columns / small.shape[1])
    wide: Image = zoom(small, factors, order=1, mode="nearest", grid_mode=True)[:rows, :columns]
    return wide
