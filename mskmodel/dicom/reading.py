"""A radiograph from the bytes of a DICOM file, whatever the bytes are.

Everything that costs memory is checked first: file size, SOP class, frames, rows x columns, transfer syntax, the
frame header inside a compressed image. It raises only :class:`Skipped` and :class:`Undecodable`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_description

from mskmodel.dicom import terms
from mskmodel.dicom.aspect import pixel_aspect
from mskmodel.dicom.colour import COLOURED
from mskmodel.dicom.decoding import ENCAPSULATED, NATIVE, PixelLayout, decode_encapsulated, decode_native
from mskmodel.dicom.frames import first_frame
from mskmodel.dicom.grey_values import as_shown
from mskmodel.dicom.header_texts import header_texts
from mskmodel.dicom.outlines import shown_outlines
from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.raster import is_picture, read_picture
from mskmodel.dicom.recognition import pixel_syntax
from mskmodel.dicom.scan import Scan, is_dicom, scan_data_set, scan_meta
from mskmodel.radiograph import Limits, Radiograph, Skipped, Undecodable, UniqueKeys

__all__ = ["read_image", "read_radiograph"]

_DEFAULT_LIMITS: Final = Limits()


def read_radiograph(
    data: bytes, limits: Limits = _DEFAULT_LIMITS, transfer_syntax: str = "", kinds: RadiographKinds = BY_DEFAULT
) -> Radiograph:
    """Return the radiograph in a DICOM file.

    Signed samples are shifted to begin at 0, bits outside Bits Stored are dropped, and of samples with more than 16
    bits the highest 16 are kept; then pixels become what a viewer shows, but for the window. Raises ``Skipped`` or
    ``Undecodable``, never anything else. It takes a few times the memory of the image, whose size ``limits`` bound.

    ``transfer_syntax`` is what else is known of a file that may lack File Meta Information, as Orthanc knows it.
    ``kinds``: what counts as a radiograph.
    """
    _check_file_size(len(data), limits)
    meta = scan_meta(data)
    scan = scan_data_set(data, meta)
    sop_class = scan.text("SOPClassUID") or meta.sop_class
    kinds.check(sop_class, scan.text("Modality"))
    announced = meta.transfer_syntax or transfer_syntax
    syntax = pixel_syntax(scan, announced)
    if not syntax and announced in NATIVE:
        raise Undecodable("the pixel data are not stored in the way that the transfer syntax says")
    if not syntax:
        raise Skipped(f"unsupported transfer syntax: {terms.uid_name(announced)}")
    layout = _layout(scan, limits)
    stored, note = _stored_values(scan, layout, syntax, announced)
    pixels, bits, notes = as_shown(stored, scan, bits=layout.bits_stored, signed=layout.signed)
    aspect = pixel_aspect(scan)
    return Radiograph(
        pixels=pixels,
        bits=bits,
        aspect=aspect,
        outlines=shown_outlines(scan, layout.rows, layout.columns, aspect),
        sop_class=sop_class,
        transfer_syntax=syntax,
        modality=terms.modality(scan.text("Modality")),
        body_part=terms.body_part(scan.text("BodyPartExamined")),
        view_position=terms.view_position(scan.text("ViewPosition")),
        laterality=terms.laterality(scan.text("ImageLaterality") or scan.text("Laterality")),
        keys=UniqueKeys(*map(scan.text, ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))),
        note="; ".join([note, *notes] if note else notes),
        texts=header_texts(scan),
    )


def read_image(path: Path | str, limits: Limits = _DEFAULT_LIMITS, kinds: RadiographKinds = BY_DEFAULT) -> Radiograph:
    """Return the radiograph in a DICOM file or a picture, told apart by content.

    Raises ``Skipped`` or ``Undecodable`` as :func:`read_radiograph` does, and ``OSError`` where the file cannot
    be read at all.
    """
    path = Path(path)
    _check_file_size(path.stat().st_size, limits)
    data = path.read_bytes()
    if is_dicom(data):
        return read_radiograph(data, limits, kinds=kinds)
    if is_picture(data):
        return read_picture(data, limits)
    raise Undecodable("neither a DICOM file nor a picture")


def _check_file_size(size: int, limits: Limits) -> None:
    if size > limits.max_file_bytes:
        raise Skipped(f"over the size limit: {size:,} bytes, the limit is {limits.max_file_bytes:,}")


def _layout(scan: Scan, limits: Limits) -> PixelLayout:
    """Read the Image Pixel attributes; refuse what cannot be one grey frame of a size within the limits."""
    if not scan.has_pixel_data:
        raise Skipped("no pixel data")
    _check_frames(scan.text("NumberOfFrames"))
    _check_photometric(scan)
    rows, columns, samples = _size(scan, "Rows"), _size(scan, "Columns"), _samples(scan)
    if rows * columns * samples > limits.max_pixels:
        each = f" of {samples} samples" if samples > 1 else ""
        raise Skipped(
            f"over the size limit: {rows} x {columns} pixels{each}, the limit is {limits.max_pixels:,} in all"
        )
    allocated, stored = _size(scan, "BitsAllocated"), _size(scan, "BitsStored")
    if allocated not in (8, 16, 32):
        raise Skipped(f"unsupported pixel format: {allocated} bits allocated")
    high_bit = scan.number("HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    if not stored - 1 <= high_bit < allocated:
        raise Undecodable(
            f"the header contradicts itself: bits allocated {allocated}, stored {stored}, high {high_bit}"
        )
    signed = scan.number("PixelRepresentation") == 1
    # In big endian, words of 16 bits are swapped, whatever the size of a sample (PS3.5 A.3); OB and the like are bytes.
    swapped = scan.encoding.big_endian and (allocated > 8 or scan.pixel_vr == b"OW")
    planar, halved = scan.number("PlanarConfiguration") == 1, samples == 3 and _photometric(scan) == "YBR_FULL_422"
    return PixelLayout(
        rows,
        columns,
        allocated,
        min(stored, 16),
        high_bit,
        signed,
        swapped,
        samples=samples,
        planar=planar,
        halved=halved,
    )


def _check_frames(frames: str) -> None:
    if frames and not re.fullmatch(r"\+?0*[01]", frames):
        count = f" ({frames} frames)" if re.fullmatch(r"\d{1,4}", frames) else ""
        raise Skipped(f"multi-frame{count}: only single projections are labelled")


_COLOUR: Final = frozenset({"RGB", "ARGB", "CMYK", "HSV", "XYB", "PALETTE COLOR"})


def _check_photometric(scan: Scan) -> None:
    """Radiographs are grey, but some are written as colour (RGB, YCbCr): the pixels tell."""
    photometric = _photometric(scan)
    if _samples(scan) == 3 and (photometric == "RGB" or photometric.startswith("YBR_")):
        return
    if photometric in _COLOUR or photometric.startswith("YBR_") or _samples(scan) > 1:
        raise Skipped(COLOURED)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise Undecodable("the header does not say whether high values are white or black (Photometric Interpretation)")


def _photometric(scan: Scan) -> str:
    return scan.text("PhotometricInterpretation").upper()


def _samples(scan: Scan) -> int:
    return scan.number("SamplesPerPixel") or 1


def _size(scan: Scan, keyword: str) -> int:
    number = scan.number(keyword)
    if not number:
        raise Undecodable(f"the header gives no {dictionary_description(keyword)}")
    return number


def _stored_values(scan: Scan, layout: PixelLayout, syntax: str, announced: str) -> tuple[NDArray[np.uint16], str]:
    """Decoded pixels in offset binary, and what a person should know of them."""
    if syntax in ENCAPSULATED:
        frame, frames = first_frame(scan.pixel_data())
        pixels = decode_encapsulated(frame, layout, syntax)
    else:
        frames = (scan.pixel_bytes or 0) // layout.native_bytes
        if not frames and announced in ENCAPSULATED:
            raise Undecodable("the pixel data are not stored in the way that the transfer syntax says")
        pixels = decode_native(scan.pixel_data(layout.native_bytes), layout)
    return pixels, _SURPLUS.format(frames) if frames > 1 else ""


_SURPLUS: Final = "the pixel data hold {:,} frames where the header announces one: the first was read"
