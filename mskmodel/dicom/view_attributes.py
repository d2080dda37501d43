"""What an image shows, as the attributes of DICOM that say so: what stands in place of those of its header."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from mskmodel.dicom.codes import SIDES, UNPAIRED, coded
from mskmodel.labels import Label

__all__ = ["view_attributes"]

#: How a description names a side.
_NAMES: Final = {"R": "right", "L": "left", "B": "both sides"}
#: Most characters of a Series Description, which is a long string (PS3.5 6.2).
_LONGEST: Final = 64


def view_attributes(label: Label, side: str, modality: str) -> Dataset:
    """The attributes of an image that shows this, for the header to be updated with.

    Body Part Examined and Anatomic Region Sequence, View Position and View Code Sequence where the label names a view,
    the laterality where the side is known, and Series Description. An empty one takes the place of what would
    contradict: a view without a code, say, leaves no View Code Sequence.

    Args:
        side: ``R``, ``L``, ``B`` (both) or ``""`` (unknown); of an unpaired body part it does not count.
        modality: what a CR says of its series, a DX says of the image.
    """
    ds = Dataset()
    paired = label.body_part not in UNPAIRED
    known = side if paired and side in SIDES else ""
    if label.region:
        ds.BodyPartExamined = label.body_part
        ds.AnatomicRegionSequence = [coded(label.anatomy)] if label.anatomy else []
        for region in ds.AnatomicRegionSequence:
            if known:
                region.AnatomicRegionModifierSequence = [coded(SIDES[known])]
    if label.view:
        ds.ViewPosition = label.view_position
        ds.ViewCodeSequence = [coded(label.view_code)] if label.view_code else []
    if known and modality != "CR":
        ds.ImageLaterality = known
    elif known:
        ds.Laterality = known if known in ("R", "L") else None  # which has no word for both
    ds.SeriesDescription = _description(label, known)
    return ds


def _description(label: Label, side: str) -> str:
    """``Knee lateral, right``; a site's own display names may hold what a long string may not."""
    text = ", ".join(filter(None, [label.display, _NAMES.get(side)]))
    return "".join(letter if letter.isprintable() and letter != "\\" else " " for letter in text)[:_LONGEST].strip()
