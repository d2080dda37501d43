"""Path lengths of rays through surfaces, computed by gVirtualXray on OpenGL.

A projection is not an image: for each material, it has the centimetres of it that each ray crossed. Any number of
exposures can be made of one projection.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.phantoms.remeshing import Mesh
from mskmodel.phantoms.requirements import WHAT_IS_NEEDED, RenderingUnavailable

__all__ = ["Beam", "path_lengths"]


@dataclass(frozen=True)
class Beam:
    """A point source and a flat detector. Lengths in metres, directions unit vectors of the world."""

    centre: NDArray[np.float64]  # what the central ray looks at
    direction: NDArray[np.float64]  # from the source to the detector
    up: NDArray[np.float64]  # of the image
    source_to_detector: float
    object_to_detector: float
    width: float  # of the field of view at the object
    height: float
    pixels_along: int  # pixels along the longer side

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        pixel = max(self.width, self.height) / self.pixels_along
        return max(32, round(self.height / pixel)), max(32, round(self.width / pixel))

    @property
    def magnification(self) -> float:
        """Size at the detector over size at the object."""
        return self.source_to_detector / (self.source_to_detector - self.object_to_detector)

    def sees(self, points: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
        """Which points (n, 3) are seen, in parallel projection, within ``margin`` times the field of view."""
        offset = points - self.centre
        across, along = offset @ np.cross(self.direction, self.up), offset @ self.up
        seen: NDArray[np.bool_] = (np.abs(across) < margin * self.width / 2) & (
            np.abs(along) < margin * self.height / 2
        )
        return seen


@functools.cache
def _renderer() -> Any:
    try:
        from gvxrPython3 import gvxr
    except ImportError as error:
        raise RenderingUnavailable(f"{WHAT_IS_NEEDED}: {error}") from error
    # Mesa and Triton each bring LLVM, and the process crashes if Mesa is loaded first. PyTorch loads Triton, if it is
    # installed, for its first optimiser.
    with contextlib.suppress(ImportError):
        importlib.import_module("triton")
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software renderer: one core per process is fastest
    gvxr.useLogFile(os.devnull)
    try:
        gvxr.createOpenGLContext()
    except RuntimeError as error:
        raise RenderingUnavailable(f"{WHAT_IS_NEEDED}: {error}") from error
    return gvxr


def path_lengths(beam: Beam, materials: dict[str, Mesh]) -> dict[str, NDArray[np.float32]]:
    """Centimetres of each material along each ray, float32 (rows, columns), the first row on top.

    Meshes must be closed. Raises RenderingUnavailable.
    """
    gvxr = _renderer()
    _aim(gvxr, beam)
    lengths = {}
    for name, mesh in materials.items():
        if not len(mesh.faces):
            lengths[name] = np.zeros(beam.shape, np.float32)
            continue
        millimetres = ((mesh.vertices - beam.centre) * 1000.0).astype(np.float32)
        gvxr.makeTriangularMesh(name, millimetres.ravel(), mesh.faces.astype(np.int32).ravel(), "mm")
        gvxr.addPolygonMeshAsInnerSurface(name)
        crossed = np.asarray(gvxr.computeLBuffer(name), np.float32)
        lengths[name] = np.maximum(np.ascontiguousarray(crossed[::-1]), 0)
        gvxr.removePolygonMeshesFromXRayRenderer()
        gvxr.removePolygonMeshesFromSceneGraph()
    return lengths


def _aim(gvxr: Any, beam: Beam) -> None:
    rows, columns = beam.shape
    near = beam.source_to_detector - beam.object_to_detector
    magnified = beam.magnification
    source, detector = -beam.direction * near * 1000, beam.direction * beam.object_to_detector * 1000
    gvxr.setSourcePosition(*(float(x) for x in source), "mm")
    gvxr.usePointSource()
    gvxr.setMonoChromatic(60.0, "keV", 1)
    gvxr.setDetectorPosition(*(float(x) for x in detector), "mm")
    gvxr.setDetectorUpVector(*(float(x) for x in beam.up))
    gvxr.setDetectorNumberOfPixels(columns, rows)
    gvxr.setDetectorPixelSize(beam.width * magnified / columns * 1000, beam.height * magnified / rows * 1000, "mm")
