"""Finds the files to send; reads only the beginning of each."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.raster import is_picture
from mskmodel.dicom.reading import read_image
from mskmodel.dicom.scan import FileMeta, is_dicom, scan_meta
from mskmodel.dicom.writing import DX_PRESENTATION, Header, radiograph_dataset
from mskmodel.radiograph import NotClassifiable

__all__ = ["Outgoing", "OutgoingFile", "collect", "wrapped"]

#: Bytes of a file's beginning that hold its File Meta Information: nearly always, and always.
_BEGINNING, _LONG_BEGINNING = 4096, 1_048_576


@dataclass(frozen=True)
class OutgoingFile:
    """A file to send."""

    path: Path
    sop_class: str
    transfer_syntax: str
    #: Empty for a picture, which gets one when it is wrapped.
    sop_instance: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether it is a PNG or JPEG file, which is wrapped as DX before it is sent."""
        return not self.sop_instance


@dataclass
class Outgoing:
    """The files that were found."""

    files: list[OutgoingFile] = field(default_factory=list)
    #: Files that cannot be sent, although they were named or begin as DICOM; with the reason.
    unsendable: list[tuple[Path, str]] = field(default_factory=list)
    #: How many files in folders are neither DICOM nor a picture.
    ignored: int = 0


def collect(paths: Iterable[Path]) -> Outgoing:
    """The files to send among these files, and all files in these folders, however deep."""
    outgoing = Outgoing()
    for path in paths:
        if path.is_dir():
            for file in _walk(path):
                _look_at(file, outgoing, named=False)
        else:
            _look_at(path, outgoing, named=True)
    return outgoing


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(root) / name for name in sorted(files))


def _look_at(path: Path, outgoing: Outgoing, *, named: bool) -> None:
    try:
        beginning = _read_beginning(path, _BEGINNING)
        if is_picture(beginning):
            outgoing.files.append(OutgoingFile(path, DX_PRESENTATION, uid.ExplicitVRLittleEndian))
        elif is_dicom(beginning):
            _add_dicom(path, beginning, outgoing)
        elif named:
            outgoing.unsendable.append((path, "neither a DICOM, a PNG nor a JPEG file"))
        else:
            outgoing.ignored += 1
    except NotClassifiable as error:
        outgoing.unsendable.append((path, error.reason))
    except OSError as error:
        outgoing.unsendable.append((path, f"cannot be read: {error.strerror or 'input/output error'}"))


def _add_dicom(path: Path, beginning: bytes, outgoing: Outgoing) -> None:
    meta = _meta(path, beginning)
    if meta.sop_class == uid.MediaStorageDirectoryStorage:  # a DICOMDIR lists instances, but is not one
        outgoing.ignored += 1
    elif not (meta.sop_class and meta.sop_instance):
        outgoing.unsendable.append((path, "the file does not name its SOP class and instance"))
    else:
        outgoing.files.append(OutgoingFile(path, meta.sop_class, meta.transfer_syntax, meta.sop_instance))


def _meta(path: Path, beginning: bytes) -> FileMeta:
    try:
        return scan_meta(beginning)
    except NotClassifiable:
        return scan_meta(_read_beginning(path, _LONG_BEGINNING))


def _read_beginning(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def wrapped(path: Path) -> Dataset:
    """A PNG or JPEG as a DX data set; the same file gives the same SOP Instance UID, whatever its name.

    The file's name and path do not go into it, since they may contain patients' names.

    Raises:
        NotClassifiable: the picture is damaged or too large.
        OSError: it cannot be read.
    """
    radiograph = read_image(path)
    digest = sha256(path.read_bytes()).hexdigest()
    pixels = radiograph.pixels.astype(np.uint8) if radiograph.bits == 8 else radiograph.pixels
    header = Header(identity=f"picture {digest}", patient_id=f"PICTURE-{digest[:12]}", patient_name="Picture^Wrapped")
    return radiograph_dataset(pixels, header=header, bits=radiograph.bits)
