"""Finds the files to send; reads only the beginning of nearly all of them."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydicom import config, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info

from mskmodel.dicom.identity import FileIdentity, identify, transfer_syntax_of
from mskmodel.dicom.raster import is_picture
from mskmodel.dicom.reading import read_image
from mskmodel.dicom.scan import is_dicom, scan_meta
from mskmodel.dicom.writing import DX_PRESENTATION, Header, radiograph_dataset
from mskmodel.radiograph import Limits, NotClassifiable, Skipped

__all__ = ["Outgoing", "OutgoingFile", "announced", "collect", "wrapped"]

#: Bytes of a file's beginning that hold what it is: nearly always, and always.
_BEGINNING, _LONG_BEGINNING = 4096, 1_048_576

#: Rows and Columns have 16 bits.
_LONGEST_SIDE = 65_535


@dataclass(frozen=True)
class OutgoingFile:
    """A file to send."""

    path: Path
    sop_class: str
    transfer_syntax: str
    #: Empty for a picture, which gets one when it is wrapped.
    sop_instance: str = ""
    #: Where the data set begins, if its File Meta Information must be written anew.
    data_set_at: int | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture such as a PNG file, which is wrapped as DX before it is sent."""
        return not self.sop_instance


@dataclass
class Outgoing:
    """The files that were found."""

    files: list[OutgoingFile] = field(default_factory=list)
    #: Files that cannot be sent, although they were named or begin as DICOM; with the reason.
    unsendable: list[tuple[Path, str]] = field(default_factory=list)
    #: Other files in folders; with the reason.
    left_out: list[tuple[Path, str]] = field(default_factory=list)


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
        if path.exists() and not path.is_file():
            outgoing.left_out.append((path, "not a file"))  # reading a pipe would wait for ever
            return
        beginning = _read_beginning(path, _BEGINNING)
        if is_picture(beginning):
            outgoing.files.append(OutgoingFile(path, DX_PRESENTATION, uid.ExplicitVRLittleEndian))
        elif is_dicom(beginning):
            _add_dicom(path, beginning, outgoing)
        else:
            where = outgoing.unsendable if named else outgoing.left_out
            where.append((path, "neither a DICOM file nor a picture" if beginning else "empty"))
    except NotClassifiable as error:
        outgoing.unsendable.append((path, error.reason))
    except OSError as error:
        outgoing.unsendable.append((path, f"cannot be read: {error.strerror or 'input/output error'}"))


def _add_dicom(path: Path, beginning: bytes, outgoing: Outgoing) -> None:
    if scan_meta(beginning).sop_class == uid.MediaStorageDirectoryStorage:
        outgoing.left_out.append((path, "a DICOMDIR lists instances, but is none"))
        return
    identity = _identity(path, beginning)
    syntax = identity.transfer_syntax or transfer_syntax_of(_whole(path))
    if not (identity.sop_class and identity.sop_instance):
        outgoing.unsendable.append((path, "the file does not name its SOP class and instance"))
    elif not syntax:
        outgoing.unsendable.append((path, "the file does not say how its pixels are compressed"))
    else:
        anew = None if identity.is_announced else identity.data_set_at
        outgoing.files.append(OutgoingFile(path, identity.sop_class, syntax, identity.sop_instance, anew))


def _identity(path: Path, beginning: bytes) -> FileIdentity:
    try:
        return identify(beginning)
    except NotClassifiable:
        return identify(_read_beginning(path, _LONG_BEGINNING))


def _read_beginning(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _whole(path: Path) -> bytes:
    """All of a file that does not say what it is in. Raises Skipped where it is too large."""
    if path.stat().st_size > Limits().max_file_bytes:
        raise Skipped("the file does not name its transfer syntax, and is too large to look for it")
    return path.read_bytes()


@contextmanager
def announced(file: OutgoingFile) -> Iterator[Path]:
    """A DICOM file whose File Meta Information says what it is: the file itself, or else a copy with a new header.

    Raises:
        OSError: it cannot be read, or the copy cannot be written.
    """
    if file.data_set_at is None:
        yield file.path
        return
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.UID(file.sop_class)
    meta.MediaStorageSOPInstanceUID = uid.UID(file.sop_instance, validation_mode=config.IGNORE)
    meta.TransferSyntaxUID = uid.UID(file.transfer_syntax)
    with tempfile.NamedTemporaryFile(prefix="msk-send-", suffix=".dcm") as copy:
        copy.write(bytes(128) + b"DICM")
        write_file_meta_info(DicomFileLike(copy), meta)
        with file.path.open("rb") as source:
            source.seek(file.data_set_at)
            shutil.copyfileobj(source, copy)
        copy.flush()
        yield Path(copy.name)


def wrapped(path: Path) -> Dataset:
    """A picture as a DX data set; the same file gives the same SOP Instance UID, whatever its name.

    The file's name and path do not go into it, since they may contain patients' names.

    Raises:
        NotClassifiable: the picture is damaged or too large.
        OSError: it cannot be read.
    """
    radiograph = read_image(path)
    if max(radiograph.pixels.shape) > _LONGEST_SIDE:
        raise Skipped(f"a side is longer than DICOM can hold, {_LONGEST_SIDE:,} pixels")
    digest = sha256(path.read_bytes()).hexdigest()
    pixels = radiograph.pixels.astype(np.uint8) if radiograph.bits == 8 else radiograph.pixels
    header = Header(identity=f"picture {digest}", patient_id=f"PICTURE-{digest[:12]}", patient_name="Picture^Wrapped")
    return radiograph_dataset(pixels, header=header, bits=radiograph.bits)
