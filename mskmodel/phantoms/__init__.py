"""Synthetic radiographs from public bone meshes, with no patient in them."""

from mskmodel.phantoms.projection import RenderingUnavailable
from mskmodel.phantoms.rendering import Phantom, exposures, render
from mskmodel.phantoms.views import CLASSES, NAMES, NEIGHBOURS

__all__ = ["CLASSES", "NAMES", "NEIGHBOURS", "Phantom", "RenderingUnavailable", "exposures", "render"]
