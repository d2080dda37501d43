"""What is particular to a site, for its label workers."""

from dataclasses import dataclass, field

from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.evidence.reliability import PRIOR, Reliability

__all__ = ["NOTHING_SET", "Site"]


@dataclass(frozen=True, eq=False)
class Site:
    """What a label worker goes by."""

    kinds: RadiographKinds = BY_DEFAULT
    """What counts as a radiograph."""
    reliability: Reliability = PRIOR
    """What its headers are worth."""
    secret: bytes = field(default=b"", repr=False)
    """Key of the hashes that stand for its own codes."""
    pixels_alone: bool = False
    """Whether labels follow the pixels alone; evidence is then told, and decides nothing."""


#: A site that sets nothing, and of which nothing is known.
NOTHING_SET = Site()
