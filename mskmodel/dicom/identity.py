"""Which object a DICOM file holds, from its beginning: what C-STORE must announce before it sends one."""

from __future__ import annotations

from dataclasses import dataclass

from mskmodel.dicom.decoding import NATIVE
from mskmodel.dicom.recognition import is_registered, pixel_syntax
from mskmodel.dicom.scan import scan_data_set, scan_meta

__all__ = ["FileIdentity", "identify", "transfer_syntax_of"]

#: The first tag behind SOP Instance UID.
_BEHIND_INSTANCE = 0x00080019
#: What File Meta Information as the standard wants it begins with: its group's length, in explicit VR.
_REGULAR = b"DICM\x02\x00\x00\x00UL"


@dataclass(frozen=True)
class FileIdentity:
    """What a file holds: UIDs by the data set, or else by File Meta Information; ``""`` where neither says it."""

    sop_class: str
    sop_instance: str
    #: What the data set is encoded in; ``""`` where only the pixels can tell (`transfer_syntax_of`).
    transfer_syntax: str
    #: Where the data set begins.
    data_set_at: int
    #: Whether File Meta Information is there, as the standard wants it, and says the same.
    is_announced: bool


def identify(beginning: bytes) -> FileIdentity:
    """Return what the file that begins so holds. Raises ``NotClassifiable`` where these bytes do not tell."""
    meta = scan_meta(beginning)
    scan = scan_data_set(beginning, meta, before=_BEHIND_INSTANCE)
    announced = meta.transfer_syntax
    contradicted = announced in NATIVE and announced != scan.transfer_syntax
    syntax = announced if is_registered(announced) and not contradicted else ""
    found = (
        scan.text("SOPClassUID") or meta.sop_class,
        scan.text("SOPInstanceUID") or meta.sop_instance,
        syntax,
    )
    regular = beginning[128:].startswith(_REGULAR)
    return FileIdentity(*found, meta.end, regular and found == (meta.sop_class, meta.sop_instance, announced))


def transfer_syntax_of(data: bytes) -> str:
    """Return the transfer syntax that a whole file is in, ``""`` where it is none that can be read.

    Raises ``NotClassifiable`` where the file is damaged.
    """
    meta = scan_meta(data)
    return pixel_syntax(scan_data_set(data, meta), meta.transfer_syntax)
