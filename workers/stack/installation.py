"""Where the project's own files lie, in a checkout or from a wheel, and what brings one back that is missing."""

from pathlib import Path

__all__ = ["PACS_SIDE", "restoring"]

_HERE = Path(__file__).resolve().parent
#: What holds the two packages: the top of a checkout, or site-packages.
_ROOT = _HERE.parents[1]
_CHECKOUT = not (_HERE / "orthanc").is_dir()

#: Configuration and plugin script of the PACS side: beside the packages of a checkout, inside them from a wheel.
PACS_SIDE = _ROOT / "orthanc" if _CHECKOUT else _HERE / "orthanc"


def restoring(folder: str) -> str:
    """What to type when files are missing; `folder`: where the repository has them."""
    return f"git checkout -- {folder}" if _CHECKOUT else "pip install --force-reinstall --no-deps msk_labeller-*.whl"
