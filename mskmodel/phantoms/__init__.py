"""Synthetic radiographs from public bone meshes, with no patient in them."""

from mskmodel.phantoms.rendering import Phantom, exposures, render
from mskmodel.phantoms.requirements import RenderingUnavailable
from mskmodel.phantoms.views import CLASSES, NAMES, NEIGHBOURS

__all__ = ["CLASSES", "NAMES", "NEIGHBOURS", "Phantom", "RenderingUnavailable", "exposures", "render"]
