"""What is known of one image: the model's answer, and whether a person said otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CONFIRMED", "CORRECTED", "GIVEN", "NOT_JUDGED", "Finding"]

#: Whether a person has said what the image shows: not, as the model, something else, or where the model gave no label.
NOT_JUDGED: Final = "not-judged"
CONFIRMED: Final = "confirmed"
CORRECTED: Final = "corrected"
GIVEN: Final = "given"


@dataclass(frozen=True)
class Finding:
    """One image of a study. Nothing here is a person's name or words."""

    sop_class: str
    sop_instance: str
    series: str
    """Series Instance UID."""
    modality: str
    status: str
    """Of labelling: ``labelled``, ``needs-review`` (the model abstains), ``failed`` or ``skipped``."""
    label: str | None = None
    """What counts: a person's word, which may be ``none`` (of the classes), or else the model's label."""
    side: str = ""
    """R, L or B; ``""`` where nobody knows."""
    side_by_person: bool = False
    """Whether a person named it; else the header does."""
    region: str = ""
    """The likeliest body region where no label is given, as a term; ``""`` where it is not clear."""
    model_label: str | None = None
    probability: float | None = None
    """Of the model's likeliest class, 0..1."""
    model: str = ""
    """Version of the model; ``""`` where none was asked."""
    evidence: tuple[str, ...] = ()
    """What the answer rests on, such as ``pixels``, ``header``."""
    judged: str = NOT_JUDGED
    file: str = ""
    """Identity of the file that was labelled."""
