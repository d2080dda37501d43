"""A radiograph in memory, and the errors for files that are none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HeaderCode",
    "HeaderTexts",
    "Limits",
    "NotClassifiable",
    "Radiograph",
    "Skipped",
    "Undecodable",
    "UniqueKeys",
]


class NotClassifiable(Exception):
    """This file cannot be classified.

    ``reason`` is a sentence fragment that a PACS administrator understands. It says nothing about the patient.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Skipped(NotClassifiable):
    """Not to be labelled: not a radiograph, no pixels, several frames, an unsupported format, too large."""


class Undecodable(NotClassifiable):
    """Meant to be labelled, but damaged."""


@dataclass(frozen=True)
class Limits:
    """Size limits, checked before memory is allocated for an image."""

    max_file_bytes: int = 268_435_456
    #: Rows times columns.
    max_pixels: int = 100_000_000


@dataclass(frozen=True, repr=False)
class HeaderCode:
    """One item of a code sequence (PS3.3 table 8.8-1) as the file has it, ``""`` for what it lacks."""

    value: str = ""
    scheme: str = ""
    meaning: str = ""


@dataclass(frozen=True, repr=False)
class HeaderTexts:
    """The free texts and codes of a header that may say what is shown, as the file has them, ``""`` or ``()`` for none.

    They may name the patient: they are read for what they claim, and never shown, kept or sent.
    """

    body_part: str = ""
    view_position: str = ""
    #: Image Laterality, else Laterality.
    laterality: str = ""
    #: Anatomic Region Sequence.
    anatomic_region: tuple[HeaderCode, ...] = ()
    #: View Code Sequence, and the View Modifier Code Sequence in its item.
    view_codes: tuple[HeaderCode, ...] = ()
    #: Study Description; what was requested; what was performed.
    study_descriptions: tuple[str, ...] = ()
    #: Procedure Code Sequence, Requested Procedure Code Sequence.
    procedure_codes: tuple[HeaderCode, ...] = ()
    series_description: str = ""
    #: Protocol Name, and other names of the settings with which the picture was taken and processed.
    protocols: tuple[str, ...] = ()
    #: Performed Protocol Code Sequence.
    protocol_codes: tuple[HeaderCode, ...] = ()
    modality: str = ""
    #: Station Name, Manufacturer's Model Name.
    station: tuple[str, ...] = ()


@dataclass(frozen=True)
class UniqueKeys:
    """What names patient, study, series and instance (PS3.4 C.2.2.1); ``""`` where it is absent or not plain text.

    A patient's number tells who it is: these are to be compared and hashed, and never repeated.
    """

    patient: str = field(default="", repr=False)
    study: str = field(default="", repr=False)
    series: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class Radiograph:
    """The pixels of one projection and the few header values that a label is compared with.

    ``pixels``: (rows, columns) uint16, writable, values 0..2**bits-1, bright = dense, as a viewer shows them but for
    the window: polarity and lookup tables are applied, padding around the picture is 0.
    Header values are terms of known tables, ``other`` for any other text, ``""`` where the file does not say.
    """

    pixels: NDArray[np.uint16]
    #: Bits that ``pixels`` take, 1..16: Bits Stored, or what a lookup table gives.
    bits: int
    #: Height of a pixel divided by its width, 1/8..8; 1 where the file does not say, or says what cannot be.
    aspect: float = 1.0
    #: Polygons, each (n, 2) of x and y as shares 0..1 of width and height: what lies outside any of them is not shown.
    #: From display shutter or collimator; empty where the whole picture is shown.
    outlines: tuple[NDArray[np.float32], ...] = ()
    #: UIDs; empty for a picture that is no DICOM file.
    sop_class: str = ""
    transfer_syntax: str = ""
    modality: str = ""
    body_part: str = ""
    view_position: str = ""
    #: Image Laterality, else Laterality.
    laterality: str = ""
    keys: UniqueKeys = UniqueKeys()
    #: What a person should know of how the file was read, as a reason says it; mostly nothing.
    note: str = ""
    #: What the header says in its own words.
    texts: HeaderTexts = field(default_factory=HeaderTexts, repr=False)
