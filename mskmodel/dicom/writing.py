"""Valid CR and DX objects from pixels: what phantoms, ``msk send`` and the tests store.

Attributes follow the CR Image IOD (PS3.3 A.2) and the Digital X-Ray Image IOD (PS3.3 A.26). Patients are
invented. Unique identifiers are a function of ``Header.identity``, so that the same input gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from mskmodel.dicom.codes import REGIONS, SIDES, UNPAIRED, VIEWS, coded
from mskmodel.dicom.derived_uid import IMPLEMENTATION, derived_uid
from mskmodel.dicom.encoding import LOSSY, Pixels, encode_pixels
from mskmodel.labels import Label

__all__ = ["CR", "DX_PRESENTATION", "DX_PROCESSING", "Header", "radiograph_dataset", "write_dx"]

CR: Final = uid.ComputedRadiographyImageStorage
DX_PRESENTATION: Final = uid.DigitalXRayImageStorageForPresentation
DX_PROCESSING: Final = uid.DigitalXRayImageStorageForProcessing

#: ``HHMMSS``.
_TIME: Final = "120000"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a written radiograph says about itself.

    ``label`` fills Body Part Examined and View Position; ``body_part`` and ``view_position`` override them, and
    ``""`` leaves them empty, as many modalities do. Coded anatomy and view follow where there is a code.
    """

    #: Unique identifiers are derived from it; two instances must not share one.
    identity: str
    #: Instances that share it are stored under one study and one series.
    study: str | None = None
    label: Label | None = None
    body_part: str | None = None
    view_position: str | None = None
    #: ``L``, ``R``, ``B`` (both), ``U`` (unpaired, as a pelvis) or ``""`` (not said).
    laterality: str = ""
    patient_id: str = "SYNTHETIC"
    patient_name: str = "Synthetic^Radiograph"
    #: When it was taken, ``YYYYMMDD``; ``""`` where nobody knows.
    date: str = ""
    #: Millimetres at the detector, down then across.
    pixel_spacing: tuple[float, float] = (0.15, 0.15)

    @property
    def says_body_part(self) -> str:
        return self.body_part if self.body_part is not None else self.label.body_part if self.label else ""

    @property
    def says_view_position(self) -> str:
        return self.view_position if self.view_position is not None else self.label.view_position if self.label else ""


def write_dx(
    pixels: Pixels,
    *,
    header: Header,
    bits: int,
    photometric: str = "MONOCHROME2",
    sop_class: str = DX_PRESENTATION,
    transfer_syntax: str = uid.ExplicitVRLittleEndian,
) -> bytes:
    """Return a DICOM file that holds ``pixels``; arguments as in :func:`radiograph_dataset`."""
    ds = radiograph_dataset(
        pixels,
        header=header,
        bits=bits,
        photometric=photometric,
        sop_class=sop_class,
        transfer_syntax=transfer_syntax,
    )
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def radiograph_dataset(
    pixels: Pixels,
    *,
    header: Header,
    bits: int,
    photometric: str = "MONOCHROME2",
    sop_class: str = DX_PRESENTATION,
    transfer_syntax: str = uid.ExplicitVRLittleEndian,
) -> Dataset:
    """Return a CR or DX data set with file meta information.

    ``pixels``: (rows, columns), uint8 (``bits`` at most 8) or uint16, values 0..2**bits-1, stored as they are
    (for ``MONOCHROME1`` the caller inverts). ``sop_class`` is :data:`CR`, :data:`DX_PRESENTATION` or
    :data:`DX_PROCESSING`; ``transfer_syntax`` one of :data:`mskmodel.dicom.encoding.WRITABLE`.

    Raises ``ValueError`` where the pixels do not fit ``bits`` or the transfer syntax cannot hold them.
    """
    _check(pixels, bits, photometric)
    ds = Dataset()
    ds.file_meta = _file_meta(sop_class, transfer_syntax, derived_uid("instance", header.identity))
    _add_patient_study_series(ds, header)
    _add_image(ds, header, sop_class)
    if sop_class == CR:
        _add_cr(ds, header)
    else:
        _add_dx(ds, header, sop_class, bits, photometric)
    _add_pixels(ds, pixels, bits, photometric, transfer_syntax)
    return ds


def _check(pixels: Pixels, bits: int, photometric: str) -> None:
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pixels must be (rows, columns) of uint8 or uint16, not {pixels.shape} {pixels.dtype}")
    if not 6 <= bits <= 8 * pixels.itemsize:
        raise ValueError(f"{bits} bits do not fit {pixels.dtype}")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"photometric interpretation {photometric} is not MONOCHROME1 or MONOCHROME2")
    if pixels.size == 0 or max(pixels.shape) > 65535:
        raise ValueError(f"{pixels.shape} is not a size that DICOM can hold")
    if int(pixels.max()) >= 2**bits:
        raise ValueError(f"values up to {int(pixels.max())} do not fit {bits} bits")


def _file_meta(sop_class: str, transfer_syntax: str, sop_instance: uid.UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.UID(sop_class)
    meta.MediaStorageSOPInstanceUID = sop_instance
    meta.TransferSyntaxUID = uid.UID(transfer_syntax)
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "MSK-LABELLER"
    return meta


def _add_patient_study_series(ds: Dataset, header: Header) -> None:
    study = header.study or header.identity
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientID = header.patient_id
    ds.PatientName = header.patient_name
    ds.PatientBirthDate = ""
    ds.PatientSex = ""
    ds.StudyInstanceUID = derived_uid("study", study)
    ds.StudyDate = header.date
    ds.StudyTime = _TIME if header.date else ""
    ds.StudyID = "1"
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.SeriesInstanceUID = derived_uid("series", study)
    ds.SeriesNumber = 1
    ds.Manufacturer = "MSK Labeller"
    ds.ManufacturerModelName = "msk-labeller"
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"


def _add_image(ds: Dataset, header: Header, sop_class: str) -> None:
    ds.SOPClassUID = uid.UID(sop_class)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID
    ds.ContentDate = ds.AcquisitionDate = header.date
    ds.ContentTime = ds.AcquisitionTime = ds.StudyTime
    ds.InstanceNumber = 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.BurnedInAnnotation = "NO"
    ds.PatientOrientation = ["L", "F"]
    ds.BodyPartExamined = header.says_body_part
    if header.says_view_position or sop_class == CR:
        ds.ViewPosition = header.says_view_position


def _add_cr(ds: Dataset, header: Header) -> None:
    ds.Modality = "CR"
    # Laterality (0020,0060) is absent for an unpaired body part, and empty for both sides or an unknown one.
    if header.says_body_part not in UNPAIRED:
        ds.Laterality = header.laterality if header.laterality in ("L", "R") else ""
    ds.ImagerPixelSpacing = list(header.pixel_spacing)


def _add_dx(ds: Dataset, header: Header, sop_class: str, bits: int, photometric: str) -> None:
    ds.Modality = "DX"
    for_presentation = sop_class == DX_PRESENTATION
    ds.PresentationIntentType = "FOR PRESENTATION" if for_presentation else "FOR PROCESSING"
    ds.ImageLaterality = header.laterality or "U"
    ds.PositionerType = "NONE"
    ds.AnatomicRegionSequence = []
    if header.says_body_part in REGIONS:
        region = coded(REGIONS[header.says_body_part])
        if header.laterality in SIDES:
            region.AnatomicRegionModifierSequence = [coded(SIDES[header.laterality])]
        ds.AnatomicRegionSequence = [region]
    if header.says_view_position in VIEWS:
        view = coded(VIEWS[header.says_view_position])
        view.ViewModifierCodeSequence = []
        ds.ViewCodeSequence = [view]
    ds.AcquisitionContextSequence = []
    ds.DetectorType = "SCINTILLATOR"
    ds.ImagerPixelSpacing = list(header.pixel_spacing)
    # Bright is dense in MONOCHROME2, and dense means that few X-rays arrived: the relationship is inverse.
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = -1 if photometric == "MONOCHROME2" else 1
    ds.RescaleIntercept = "0"
    ds.RescaleSlope = "1"
    ds.RescaleType = "US"
    ds.PresentationLUTShape = "IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"
    if for_presentation:
        ds.WindowCenter = str(2 ** (bits - 1))
        ds.WindowWidth = str(2**bits)


def _add_pixels(ds: Dataset, pixels: Pixels, bits: int, photometric: str, transfer_syntax: str) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = 8 * pixels.itemsize
    ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 0
    value = encode_pixels(pixels, bits=bits, transfer_syntax=transfer_syntax)
    ds.LossyImageCompression = "00"
    if transfer_syntax in LOSSY:
        ds.LossyImageCompression = "01"
        ds.LossyImageCompressionRatio = f"{pixels.nbytes / len(value):.2f}"
        ds.LossyImageCompressionMethod = LOSSY[transfer_syntax]
    ds.PixelData = value
    # OB for 8 bits and for encapsulated frames, OW for 16 (PS3.5 A.1, A.2, A.4).
    native_words = pixels.itemsize == 2 and not uid.UID(transfer_syntax).is_encapsulated
    implicit = transfer_syntax == uid.ImplicitVRLittleEndian
    ds["PixelData"].VR = "OW" if native_words or implicit else "OB"
