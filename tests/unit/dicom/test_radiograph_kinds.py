"""What counts as a radiograph: by SOP class and Modality, and as a site says it."""

from __future__ import annotations

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds
from mskmodel.dicom.reading import read_radiograph
from mskmodel.radiograph import Skipped
from tests.dicom_files import edited, gradient

SC = uid.SecondaryCaptureImageStorage
CR, DX = uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation
XA = uid.XRayAngiographicImageStorage
SECONDARY_CAPTURES = (
    SC,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)


def stored_as(sop_class: str, modality: str | None, frames: int = 1) -> bytes:
    def change(ds: Dataset) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.UID(sop_class)
        ds.NumberOfFrames = frames
        if modality is None:
            del ds.Modality
        else:
            ds.Modality = modality

    return edited(f"{sop_class} {modality}", change)


@pytest.mark.parametrize("sop_class", SECONDARY_CAPTURES)
@pytest.mark.parametrize("modality", ["CR", "DX", "RG"])
def test_secondary_capture_of_an_x_ray_is_a_radiograph(sop_class: str, modality: str) -> None:
    radiograph = read_radiograph(stored_as(sop_class, modality))

    assert (radiograph.pixels == gradient(12)).all()
    assert (radiograph.sop_class, radiograph.modality) == (sop_class, modality)


@pytest.mark.parametrize(
    ("modality", "said"),
    [
        ("US", "with the modality US"),
        ("OT", "with the modality OT"),
        ("DOE JOHN", "with the modality other"),
        ("", "without a modality"),
        (None, "without a modality"),
    ],
)
def test_other_secondary_capture_is_skipped_with_what_it_says(modality: str | None, said: str) -> None:
    with pytest.raises(Skipped, match=f"^not a radiograph: Secondary Capture Image Storage {said}$"):
        read_radiograph(stored_as(SC, modality))


def test_several_frames_stay_several_frames() -> None:
    with pytest.raises(Skipped, match="multi-frame"):
        read_radiograph(stored_as(SECONDARY_CAPTURES[1], "DX", frames=3))


@pytest.mark.parametrize("modality", ["CR", "OT", "", None])
def test_cr_and_dx_are_radiographs_whatever_their_modality(modality: str | None) -> None:
    for sop_class in (CR, DX, uid.DigitalXRayImageStorageForProcessing):
        assert read_radiograph(stored_as(sop_class, modality)).sop_class == sop_class


@pytest.mark.parametrize(
    ("text", "sop_class", "modality", "counts"),
    [
        ("CR, DX", SC, "CR", False),
        ("CR, DX, SC", SC, "US", True),
        ("CR, DX, SC/CR, SC/OT", SC, "OT", True),
        ("CR, DX, SC/CR, SC/OT", SC, "DX", False),
        ("sc/ot , cr", SC, "OT", True),
        ("SC/OT, SC", SC, "US", True),
        ("SC", CR, "CR", False),
        (f"CR,DX,{XA}", XA, "XA", True),
        (f"CR,DX,{XA}/RG", XA, "XA", False),
        (f"CR,DX,{XA}/RG", XA, "RG", True),
        ("SC/XR", SC, "XR", True),
        ("SC/XR", SC, "xr ", True),
        (DX, uid.DigitalXRayImageStorageForProcessing, "DX", False),
        ("CR/CR", CR, "CR", True),
        ("CR/CR", CR, "OT", False),
    ],
)
def test_a_site_says_what_counts(text: str, sop_class: str, modality: str, counts: bool) -> None:
    kinds = RadiographKinds.of(text)
    if counts:
        kinds.check(sop_class, modality)
    else:
        with pytest.raises(Skipped, match=r"^not a radiograph: "):
            kinds.check(sop_class, modality)


@pytest.mark.parametrize(
    "text", ["", ",", "MR", "SC:OT", "SC/", "SC/OT/US", "1", "1.2.x", "SC/A_VERY_LONG_MODALITY", "*"]
)
def test_what_is_no_list_of_kinds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="kind of radiograph"):
        RadiographKinds.of(text)


def test_without_the_modality_only_what_is_no_radiograph_with_any_is_refused() -> None:
    for sop_class in (*SECONDARY_CAPTURES, CR, DX, ""):
        BY_DEFAULT.check(sop_class, None)
    with pytest.raises(Skipped, match=r"not a radiograph: CT Image Storage$"):
        BY_DEFAULT.check(uid.CTImageStorage, None)
    assert BY_DEFAULT.depends_on_modality(SC) and not BY_DEFAULT.depends_on_modality(CR)
