"""What rendering needs beyond the project's own dependencies."""

from __future__ import annotations

__all__ = ["WHAT_IS_NEEDED", "RenderingUnavailable"]

WHAT_IS_NEEDED = (
    "phantoms need the extra `phantoms` (pip install 'msk-labeller[phantoms]') and OpenGL (on Debian: apt-get install "
    "libegl1 libgl1 libgl1-mesa-dri libopengl0 libxcb-res0 libxcb-ewmh2 libxcb-composite0 libxcb-xinerama0 "
    "libxcb-keysyms1 libxcb-icccm4 libxrandr2 libxcursor1 libxi6 libxinerama1)"
)


class RenderingUnavailable(Exception):
    """Phantoms cannot be rendered here: a Python package or a system library is missing."""
