"""DICOM files of every kind that a worker may get, valid and hostile, generated as bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filewriter import dcmwrite

from mskmodel.dicom.encoding import WRITABLE
from mskmodel.dicom.writing import CR, DX_PRESENTATION, DX_PROCESSING, Header, radiograph_dataset, write_dx
from mskmodel.labels import BY_KEY

ROWS, COLUMNS = 96, 80

HTJ2K = frozenset({uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL})

#: What reading a file must lead to: pixels, or one of the two errors.
READABLE, SKIPPED, UNDECODABLE = "readable", "skipped", "undecodable"


@dataclass(frozen=True)
class DicomFile:
    """A file, and what reading it must lead to."""

    name: str
    data: bytes
    ending: str = READABLE
    #: A part of the reason that is shown to people.
    reason: str = ""
    #: False where Orthanc refuses to store it, or should not be asked to (Debian bookworm's is older than HTJ2K).
    storable: bool = True

    def __str__(self) -> str:
        return self.name


def gradient(bits: int, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """A smooth, asymmetric picture of the full range, in which inversion, clipping and transposition show."""
    slope = np.add.outer(np.arange(rows), np.arange(columns)) / (rows + columns - 2)
    return np.round(slope * (2**bits - 1)).astype(np.uint16)


def as_stored(bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The same in the narrowest type that holds it."""
    return gradient(bits).astype(np.uint8) if bits <= 8 else gradient(bits)


def bits_for(transfer_syntax: str) -> int:
    return 8 if transfer_syntax == uid.JPEGBaseline8Bit else 12


def header(name: str) -> Header:
    return Header(identity=f"tests {name}", label=BY_KEY["knee_lateral"], laterality="R", patient_name="Test^Hidden")


def edited(
    name: str,
    change: Callable[[Dataset], None] = lambda ds: None,  # noqa: ARG005
    *,
    transfer_syntax: str = uid.ExplicitVRLittleEndian,
    bits: int | None = None,
) -> bytes:
    """A good DX file with something changed."""
    bits = bits or bits_for(transfer_syntax)
    ds = radiograph_dataset(as_stored(bits), header=header(name), bits=bits, transfer_syntax=transfer_syntax)
    change(ds)
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def with_frame(name: str, transfer_syntax: str, change: Callable[[bytearray], bytes | bytearray]) -> bytes:
    """A good DX file with something changed inside its compressed frame."""

    def replace_frame(ds: Dataset) -> None:
        frame = next(generate_frames(ds.PixelData, number_of_frames=1))
        ds.PixelData = encapsulate([bytes(change(bytearray(frame)))])

    return edited(name, replace_frame, transfer_syntax=transfer_syntax)


@cache
def valid_files() -> tuple[DicomFile, ...]:
    """Every transfer syntax, bit depth, polarity and class that is labelled."""
    return (*_each_transfer_syntax(), *_each_bit_depth(), *_each_class(), _signed(), _high_bit(), _overlay_bits())


def _each_transfer_syntax() -> list[DicomFile]:
    files = []
    for transfer_syntax in sorted(WRITABLE):
        name, bits = f"syntax {uid.UID(transfer_syntax).name}", bits_for(transfer_syntax)
        data = write_dx(as_stored(bits), header=header(name), bits=bits, transfer_syntax=transfer_syntax)
        files.append(DicomFile(name, data, storable=transfer_syntax not in HTJ2K))
    return files


def _each_bit_depth() -> list[DicomFile]:
    return [
        DicomFile(
            name := f"{bits} bits {photometric}",
            write_dx(as_stored(bits), header=header(name), bits=bits, photometric=photometric),
        )
        for bits in range(8, 17)
        for photometric in ("MONOCHROME1", "MONOCHROME2")
    ]


def _each_class() -> list[DicomFile]:
    return [
        DicomFile(
            name := uid.UID(sop_class).name,
            write_dx(gradient(12), header=header(name), bits=12, sop_class=sop_class),
        )
        for sop_class in (CR, DX_PRESENTATION, DX_PROCESSING)
    ]


def _signed() -> DicomFile:
    def make_signed(ds: Dataset) -> None:
        ds.PixelRepresentation = 1
        ds.PixelData = (gradient(12).astype(np.int16) - 2048).tobytes()

    return DicomFile("signed", edited("signed", make_signed))


def _high_bit() -> DicomFile:
    def raise_high_bit(ds: Dataset) -> None:
        ds.HighBit = 15
        ds.PixelData = (gradient(12) << 4).tobytes()

    return DicomFile("high bit 15", edited("high bit 15", raise_high_bit))


def _overlay_bits() -> DicomFile:
    def set_unused_bits(ds: Dataset) -> None:
        ds.PixelData = (gradient(12) | 0xA000).tobytes()

    return DicomFile("overlay in unused bits", edited("overlay in unused bits", set_unused_bits))


@cache
def other_files() -> tuple[DicomFile, ...]:
    """Well-formed files that are not for the model: each must be skipped with a reason."""
    return (
        DicomFile("CT", edited("CT", _make_ct), SKIPPED, "not a radiograph: CT Image Storage"),
        DicomFile("no pixels", edited("no pixels", _drop_pixels), SKIPPED, "no pixel data"),
        DicomFile("multi-frame", edited("multi-frame", _make_multi_frame), SKIPPED, "multi-frame (3 frames)"),
        DicomFile("colour", edited("colour", _make_rgb), SKIPPED, "colour"),
        DicomFile("64 bits", edited("64 bits", _make_64_bits), SKIPPED, "64 bits allocated"),
        DicomFile("MPEG-2", edited("MPEG-2", _make_mpeg), SKIPPED, "unsupported transfer syntax: MPEG2"),
    )


def _make_ct(ds: Dataset) -> None:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage
    ds.Modality = "CT"


def _drop_pixels(ds: Dataset) -> None:
    del ds.PixelData


def _make_multi_frame(ds: Dataset) -> None:
    ds.NumberOfFrames = 3
    ds.PixelData = ds.PixelData * 3


def _make_rgb(ds: Dataset) -> None:
    ds.SamplesPerPixel = 3
    ds.PhotometricInterpretation = "RGB"
    ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = bytes((200, 40, 40)) * (ROWS * COLUMNS)


def _make_64_bits(ds: Dataset) -> None:
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 64, 64, 63
    ds.PixelData = bytes(ROWS * COLUMNS * 8)


def _make_mpeg(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    ds.PixelData = encapsulate([b"\x00\x00\x01\xb3" + bytes(200)])
    ds["PixelData"].VR = "OB"


@cache
def hostile_files() -> tuple[DicomFile, ...]:
    """Broken or malicious files: each must be refused quickly, in little memory, with a reason."""
    return (*_damaged(), *_lying_headers(), *_bombs(), *_not_dicom())


def _damaged() -> list[DicomFile]:
    files = [
        DicomFile(
            f"truncated {name}",
            with_frame(f"truncated {name}", syntax, _first_half),
            UNDECODABLE,
            "damaged" if name == "RLE" else "is cut short",
            storable=syntax not in HTJ2K,
        )
        for name, syntax in COMPRESSED.items()
    ]
    files += [
        DicomFile(
            f"garbage {name}",
            with_frame(f"garbage {name}", syntax, _garbage_body),
            UNDECODABLE,
            storable=syntax not in HTJ2K,
        )
        for name, syntax in COMPRESSED.items()
    ]

    def shorten(ds: Dataset) -> None:
        ds.PixelData = ds.PixelData[:1000]

    short = edited("short pixel data", shorten)
    whole = edited("cut file")
    noise = np.random.default_rng(0).bytes(4000)
    files += [
        DicomFile("short pixel data", short, UNDECODABLE, "cut short: 1,000 of 15,360"),
        DicomFile("cut in the pixels", whole[:-5000], UNDECODABLE, "cut short", storable=False),
        DicomFile("cut in the header", whole[:700], UNDECODABLE, "cut short", storable=False),
        DicomFile("noise after the file meta", whole[:400] + noise, UNDECODABLE, storable=False),
    ]
    return files


COMPRESSED = {
    "JPEG": uid.JPEGBaseline8Bit,
    "JPEG lossless": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
    "HTJ2K": uid.HTJ2KLossless,
    "RLE": uid.RLELossless,
}


def _first_half(frame: bytearray) -> bytearray:
    return frame[: len(frame) // 2]


def _garbage_body(frame: bytearray) -> bytes:
    """Garbage after the first markers."""
    return bytes(frame[:4]) + np.random.default_rng(0).bytes(2000)


def _lying_headers() -> list[DicomFile]:
    def claim_60000(ds: Dataset) -> None:
        ds.Rows = ds.Columns = 60000

    def claim_more_bits(ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit = 20, 19

    def swap_size(ds: Dataset) -> None:
        ds.Rows, ds.Columns = ds.Columns, ds.Rows

    files = [
        DicomFile("60000 x 60000", edited("60000 x 60000", claim_60000), SKIPPED, "60000 x 60000"),
        DicomFile(
            "60000 x 60000 JPEG 2000",
            edited("60000 x 60000 JPEG 2000", claim_60000, transfer_syntax=uid.JPEG2000Lossless),
            SKIPPED,
            "over the size limit",
        ),
        DicomFile("20 bits of 16", edited("20 bits of 16", claim_more_bits), UNDECODABLE, "contradicts itself"),
    ]
    for name, syntax in COMPRESSED.items():
        if syntax != uid.RLELossless:
            swapped = edited(f"swapped {name}", swap_size, transfer_syntax=syntax)
            reason = "96 x 80 where the DICOM header"
            storable = syntax not in HTJ2K
            files.append(DicomFile(f"swapped size {name}", swapped, UNDECODABLE, reason, storable))
    files += [
        DicomFile(
            f"lying {name}",
            with_frame(f"lying {name}", syntax, change),
            UNDECODABLE,
            "60000 x 60000",
            storable=syntax not in HTJ2K,
        )
        for name, syntax, change in (
            ("JPEG SOF", uid.JPEGBaseline8Bit, _claim_60000_in_jpeg),
            ("JPEG lossless SOF", uid.JPEGLosslessSV1, _claim_60000_in_jpeg),
            ("JPEG-LS SOF", uid.JPEGLSLossless, _claim_60000_in_jpeg),
            ("JPEG 2000 SIZ", uid.JPEG2000Lossless, _claim_60000_in_jpeg_2000),
            ("HTJ2K SIZ", uid.HTJ2KLossless, _claim_60000_in_jpeg_2000),
        )
    ]
    return files


def _claim_60000_in_jpeg(frame: bytearray) -> bytearray:
    start = min(at for marker in (b"\xff\xc0", b"\xff\xc3", b"\xff\xf7") if (at := frame.find(marker)) > 0)
    struct.pack_into(">HH", frame, start + 5, 60000, 60000)
    return frame


def _claim_60000_in_jpeg_2000(frame: bytearray) -> bytearray:
    for offset in (8, 12, 24, 28):  # Xsiz, Ysiz, XTsiz, YTsiz
        struct.pack_into(">I", frame, offset, 60000)
    return frame


def _bombs() -> list[DicomFile]:
    return [
        DicomFile("deflated bomb", deflated_bomb(256), SKIPPED, "over the size limit", storable=False),
        DicomFile("deflated noise", _deflated_noise(), UNDECODABLE, "damaged", storable=False),
        DicomFile("nested sequences", nested_sequences(100_000), UNDECODABLE, "more elements", storable=False),
        DicomFile("a million items", countless_items(1_000_000), UNDECODABLE, "more elements", storable=False),
        DicomFile("RLE bomb", with_frame("RLE bomb", uid.RLELossless, _rle_bomb), UNDECODABLE, "damaged"),
        DicomFile("JPEG 2000 tiles", with_frame("tiles", uid.JPEG2000Lossless, _tiny_tiles), UNDECODABLE, "more tiles"),
        DicomFile(
            "HTJ2K precincts",
            with_frame("precincts", uid.HTJ2KLossless, _no_precincts),
            UNDECODABLE,
            "precincts",
            False,
        ),
    ]


def _split_at_data_set(data: bytes) -> tuple[bytes, bytes]:
    """File meta information (whose group length is its first element) and data set."""
    end = 144 + int.from_bytes(data[140:144], "little")
    return data[:end], data[end:]


def deflated_bomb(megabytes: int) -> bytes:
    """A deflated DX in which a private element inflates to ``megabytes``; the file is a thousandth of that."""
    meta, data_set = _split_at_data_set(edited("bomb", transfer_syntax=uid.ExplicitVRLittleEndian))
    deflated = meta.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    deflated = deflated[:140] + (int.from_bytes(meta[140:144], "little") + 2).to_bytes(4, "little") + deflated[144:]
    at = deflated.index(b"1.2.840.10008.1.2.1.99") - 2
    deflated = deflated[:at] + (22).to_bytes(2, "little") + deflated[at + 2 :]
    pixels = data_set.index(b"\xe0\x7f\x10\x00")
    private = b"\x09\x70\x10\x00LO\x04\x00TEST\x09\x70\x01\x10OB\0\0" + (megabytes * 2**20).to_bytes(4, "little")
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = engine.compress(data_set[:pixels] + private) + engine.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block depends on nothing before it: one is as good as many.
    megabyte = engine.compress(bytes(2**20)) + engine.flush(zlib.Z_FULL_FLUSH)
    return deflated + head + megabyte * megabytes + engine.compress(data_set[pixels:]) + engine.flush()


def _deflated_noise() -> bytes:
    data = edited("deflated noise", transfer_syntax=uid.DeflatedExplicitVRLittleEndian)
    meta, _ = _split_at_data_set(data)
    return meta + b"\xff" * 500


def nested_sequences(depth: int) -> bytes:
    """Sequences of undefined length inside one another, where a recursive parser runs out of stack."""
    meta, data_set = _split_at_data_set(edited("nested"))
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return meta + opening * depth + closing * depth + data_set


def countless_items(count: int) -> bytes:
    """One sequence of empty items: eight bytes each in the file, a kilobyte each as objects."""
    meta, data_set = _split_at_data_set(edited("items"))
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * count
    return meta + sequence + b"\xfe\xff\xdd\xe0\0\0\0\0" + data_set


def _rle_bomb(_frame: bytearray) -> bytes:
    """Runs of 128 bytes from two: 25 MB for an image of 15 kB."""
    return struct.pack("<16I", 2, 64, 64 + 200_000, *[0] * 13) + b"\x81\x00" * 200_000


def _tiny_tiles(frame: bytearray) -> bytearray:
    struct.pack_into(">II", frame, 24, 1, 1)
    return frame


def _no_precincts(frame: bytearray) -> bytearray:
    """Precincts of 1 x 1 at every resolution: what some decoders divide by, or keep a structure for."""
    start = frame.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", frame, start + 2)
    resolutions = frame[start + 9] + 1
    frame[start + 4] |= 1
    struct.pack_into(">H", frame, start + 2, length + resolutions)
    frame[start + 2 + length : start + 2 + length] = bytes(resolutions)
    return frame


def _not_dicom() -> list[DicomFile]:
    return [
        DicomFile("empty", b"", UNDECODABLE, "not a DICOM file", storable=False),
        DicomFile("text", b"not a radiograph" * 100, UNDECODABLE, "not a DICOM file", storable=False),
        DicomFile("magic only", bytes(128) + b"DICM", UNDECODABLE, "no data set", storable=False),
    ]
