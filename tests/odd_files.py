"""Radiographs in files that are not as PS3.10 wants them, and that Orthanc and viewers show all the same."""

from __future__ import annotations

import struct
from functools import cache

from pydicom import uid
from pydicom.dataset import Dataset

from tests.dicom_files import DicomFile, edited

__all__ = ["COMPRESSED", "DATA_SETS", "data_set", "odd_files", "with_meta"]

PREAMBLE = bytes(128) + b"DICM"
#: How a data set of each encoding is announced.
DATA_SETS = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
}
COMPRESSED = (uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless, uid.RLELossless)
_CR = b"1.2.840.10008.5.1.4.1.1.1\0"
_SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7\0"


def data_set(name: str, transfer_syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """A DX data set as bytes, without anything before it."""
    data = edited(name, transfer_syntax=transfer_syntax)
    return data[144 + int.from_bytes(data[140:144], "little") :]


def _element(number: int, vr: bytes, value: bytes, *, implicit: bool = False) -> bytes:
    value += bytes(len(value) % 2)
    if implicit:
        return struct.pack("<HHI", 2, number, len(value)) + value
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def with_meta(
    elements: bytes,
    transfer_syntax: str,
    *,
    sop_class: bytes = _CR,
    group_length: int | None = None,
    implicit: bool = False,
) -> bytes:
    """Preamble and File Meta Information before these elements, whether they fit or not."""
    body = b"".join(
        _element(number, vr, value, implicit=implicit)
        for number, vr, value in (
            (1, b"OB", b"\0\1"),
            (2, b"UI", sop_class),
            (3, b"UI", b"1.2.3"),
            (16, b"UI", transfer_syntax.encode()),
        )
        if value
    )
    length = struct.pack("<I", len(body) if group_length is None else group_length)
    return PREAMBLE + _element(0, b"UL", length, implicit=implicit) + body + elements


def _with_element(name: str, element: bytes) -> bytes:
    """A good file with this element before Modality."""
    data = edited(name)
    at = data.index(b"\x08\x00\x60\x00CS")
    return data[:at] + element + data[at:]


@cache
def odd_files() -> tuple[DicomFile, ...]:
    """All of them hold the same picture, lossless."""
    return (*_bare(), *_wrongly_announced(), *_odd_meta(), *_odd_elements())


def _bare() -> list[DicomFile]:
    """``storable``: Debian bookworm's Orthanc takes the file and shows it."""
    files = []
    for name, syntax in DATA_SETS.items():
        plain = edited(name := f"bare {name}", transfer_syntax=syntax)
        deflated = syntax == uid.DeflatedExplicitVRLittleEndian
        files += [
            DicomFile(name, data_set(name, syntax), storable=not deflated),
            DicomFile(f"{name}, with File Meta Information", plain[132:]),
            # Some servers refuse this, although the next one reads it.
            DicomFile(f"{name}, with preamble", PREAMBLE + data_set(name, syntax), storable=False),
        ]
    for syntax in COMPRESSED:
        name = f"bare {syntax.name}"
        files.append(DicomFile(name, data_set(name, syntax), storable=False))
    return files


def _wrongly_announced() -> list[DicomFile]:
    kinds = (*DATA_SETS.values(), *COMPRESSED)
    return [
        DicomFile(name := f"{real.name} as {said.name}", with_meta(data_set(name, real), said), storable=False)
        for real in kinds
        for said in kinds
        if real != said
    ]


def _odd_meta() -> list[DicomFile]:
    explicit = uid.ExplicitVRLittleEndian
    files = {
        "SOP class of another object": {"sop_class": _SECONDARY_CAPTURE},
        "SOP class that nobody knows": {"sop_class": b"2.25.333669053877888808883681104013805262679"},
        "SOP class not said": {"sop_class": b""},
        "group length of 0": {"group_length": 0},
        "implicit File Meta Information": {"implicit": True},
    }
    refused = {"implicit File Meta Information"}
    found = [
        DicomFile(name, with_meta(data_set(name), explicit, **options), storable=name not in refused)  # type: ignore[arg-type]
        for name, options in files.items()
    ]
    for name, syntax in (
        ("not said", ""),
        ("unknown", "1.2.3.4.5"),
        ("padded", f"{explicit} "),
        ("NULs", f"{explicit}\0\0\0"),
    ):
        found.append(DicomFile(f"transfer syntax {name}", with_meta(data_set(name), syntax)))
    whole = with_meta(data_set("no group length"), explicit)
    return [*found, DicomFile("no group length", PREAMBLE + whole[144:])]


def _odd_elements() -> list[DicomFile]:
    icon = Dataset()
    icon.Rows = icon.Columns = 1
    icon.BitsAllocated = 8
    icon.PixelData = b"\0\0"

    def nest(ds: Dataset) -> None:
        ds.IconImageSequence = [icon]
        ds["IconImageSequence"].is_undefined_length = True

    inside = b"\x08\x00\x51\x00"
    elements = {
        "representation ??": inside + b"??\x04\0abcd",
        "representation of blanks": inside + b"  \x04\0abcd",
        "representation of NULs": inside + b"\0\0\x04\0abcd",
        "representation of a later standard": inside + b"ZZ\0\0\x04\0\0\0abcd",
        "odd length": inside + b"LO\x03\0abc",
        "no value": inside + b"LO\0\0",
        "very long text": inside + b"UC\0\0" + struct.pack("<I", 70_000) + b"x" * 70_000,
        "SOP class twice": b"\x08\x00\x16\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.2\0",
        "private sequence of unknown representation": b"\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff"
        + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
        + b"\x09\0\x11\x10\x02\0\0\0AB"
        + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
    }
    files = [DicomFile(name, _with_element(name, element)) for name, element in elements.items()]
    implicit = DicomFile("implicit element", _with_element("implicit", inside + b"\x04\0\0\0abcd"), storable=False)
    icon_file = DicomFile("pixels of an icon first", edited("icon", nest))
    trailing = DicomFile("zeros behind the pixels", edited("zeros") + bytes(512))
    signed = DicomFile("signed rows", edited("rows").replace(b"\x28\0\x10\0US", b"\x28\0\x10\0SS"))
    unknown = DicomFile(
        "pixels of unknown representation", edited("pixels").replace(b"\xe0\x7f\x10\0OW", b"\xe0\x7f\x10\0UN")
    )
    return [*files, implicit, icon_file, trailing, signed, unknown]
