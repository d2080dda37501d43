"""Radiographs written by encoders that are not ours: Debian's dcmtk, OpenJPEG's and OpenJPH's command lines.

`plain` gives the file that they start from, its pixel cells as they lie in memory; `expected` says, from the same
cells and the standard alone (PS3.5 8.1, PS3.3 C.7.6.3.1), which pixels a reader must find.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite

from mskmodel.dicom.writing import radiograph_dataset
from tests.dicom_files import gradient, header

__all__ = ["MISSING", "Cells", "dcmtk", "htj2k", "jpeg_2000", "plain", "with_codestream"]

#: Command line tools that the encoders need and this machine lacks.
MISSING = [name for name in ("dcmcjpeg", "dcmconv", "opj_compress", "ojph_compress") if shutil.which(name) is None]


@dataclass(frozen=True)
class Cells:
    """How samples lie in their cells, and a picture of noise in them that uses every bit."""

    allocated: int
    stored: int
    #: Bits above the lowest bit of a sample: 0 where High Bit is Bits Stored - 1.
    shift: int = 0
    signed: bool = False
    #: Whether the bits outside Bits Stored hold something else, as overlays in old files.
    overlay: bool = False
    monochrome1: bool = False
    #: Bytes as words of 16 bits, as files in implicit VR have them.
    as_words: bool = False
    rows: int = 61
    columns: int = 53

    def __str__(self) -> str:
        words = [f"{self.stored} of {self.allocated} bits", self.shift and f"high bit {self.stored + self.shift - 1}"]
        words += [name for name in ("signed", "overlay", "monochrome1", "as_words") if getattr(self, name)]
        return " ".join(str(word) for word in words if word)

    @property
    def samples(self) -> NDArray[np.int64]:
        """What the samples mean: 0 (signed: -2**(stored-1)) and upwards, smooth with noise, ends included."""
        noise = np.random.default_rng(self.stored).integers(0, 2**self.stored, (self.rows, self.columns))
        smooth = gradient(16, self.rows, self.columns).astype(np.int64) >> max(0, 16 - self.stored)
        found = np.where(np.arange(self.columns) < self.columns // 2, smooth << max(0, self.stored - 16), noise)
        found[0, :2] = 0, 2**self.stored - 1
        return found - (2 ** (self.stored - 1) if self.signed else 0)

    @property
    def words(self) -> NDArray[np.unsignedinteger]:
        """The cells, (rows, columns) of unsigned words."""
        # A signed sample fills the cell with its sign, unless something else lies there.
        found = self.samples << self.shift
        if self.overlay:
            inside = (2**self.stored - 1) << self.shift
            found = (found & inside) | (0xA5A5A5A5 & ~inside)
        return (found & (2**self.allocated - 1)).astype(f"u{self.allocated // 8}")

    @property
    def expected(self) -> NDArray[np.int64]:
        """The pixels of a reader: offset binary, bright as dense."""
        found = self.samples + (2 ** (self.stored - 1) if self.signed else 0)
        return 2**self.stored - 1 - found if self.monochrome1 else found


def plain(cells: Cells, name: str = "") -> Dataset:
    """A DX data set, explicit VR little endian, whose Pixel Data are these cells."""
    identity = header(f"foreign {cells} {name}")
    ds = radiograph_dataset(gradient(8, cells.rows, cells.columns).astype(np.uint8), header=identity, bits=8)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = cells.allocated, cells.stored, cells.stored + cells.shift - 1
    ds.PixelRepresentation = int(cells.signed)
    ds.PhotometricInterpretation = "MONOCHROME1" if cells.monochrome1 else "MONOCHROME2"
    value = cells.words.tobytes()
    ds.PixelData = value + bytes(len(value) % 2)
    ds["PixelData"].VR = "OB" if cells.allocated == 8 and not cells.as_words else "OW"
    return ds


def as_file(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def dcmtk(program: str, *options: str, cells: Cells, folder: Path) -> bytes:
    """What one of dcmtk's programs makes of the plain file."""
    source, made = folder / "plain.dcm", folder / "made.dcm"
    source.write_bytes(as_file(plain(cells, f"{program} {options}")))
    subprocess.run([program, *options, str(source), str(made)], check=True, capture_output=True, timeout=60)
    return made.read_bytes()


def with_codestream(cells: Cells, codestream: bytes, transfer_syntax: str) -> bytes:
    """A file whose only frame is this codestream."""
    ds = plain(cells, transfer_syntax)
    ds.file_meta.TransferSyntaxUID = uid.UID(transfer_syntax)
    ds.PixelData = encapsulate([codestream])
    ds["PixelData"].VR = "OB"
    return as_file(ds)


def jpeg_2000(*options: str, cells: Cells, folder: Path, form: str = "j2k") -> bytes:
    """The codestream that OpenJPEG's `opj_compress` makes of the samples (``form`` ``jp2``: a JP2 file)."""
    # It reads raw samples of an even number of bits, and PGX files without a sign.
    raw = cells.stored % 2 == 0
    source, made = folder / f"samples.{'raw' if raw else 'pgx'}", folder / f"made.{form}"
    head = b"" if raw else b"PG ML +%d %d %d\n" % (cells.stored, cells.columns, cells.rows)
    source.write_bytes(head + cells.samples.astype(">i2" if cells.stored > 8 else "i1").tobytes())
    size = f"{cells.columns},{cells.rows},1,{cells.stored},{'s' if cells.signed else 'u'}"
    command = ["opj_compress", "-i", str(source), "-o", str(made), *(["-F", size] if raw else []), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made.read_bytes()


def htj2k(*options: str, cells: Cells, folder: Path) -> bytes:
    """The codestream that OpenJPH's `ojph_compress` makes of the samples, which must be unsigned."""
    source, made = folder / "samples.pgm", folder / "made.j2c"
    samples = cells.samples.astype(">u2" if cells.stored > 8 else "u1").tobytes()
    source.write_bytes(b"P5 %d %d %d\n" % (cells.columns, cells.rows, 2**cells.stored - 1) + samples)
    command = ["ojph_compress", "-i", str(source), "-o", str(made), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made.read_bytes()
