"""Copies with a header that says what the image shows: valid, traceable, and with the same pixels."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from mskmodel.dicom.encoding import WRITABLE
from mskmodel.dicom.writing import CR, write_dx
from mskmodel.labels import BY_KEY
from mskmodel.radiograph import NotClassifiable
from mskmodel.results.corrected_copy import Copy, corrected_copy
from tests import dicom_files
from tests.dicom3tools import complaints, errors

#: What dciodvfy, whose tables are of 2022, says of copies and not of their sources: terms that it does not know, codes
#: of views, which a CR has beyond its own attributes, views that have no code, and sides that nobody knows.
KNOWN = (
    "Warning - Unrecognized defined term",
    "Warning - Attribute is not present in standard DICOM IOD",
    "Warning - Dicom dataset contains attributes not present in standard DICOM IOD",
    "Warning - ViewCodeSequence is empty or absent, but view is known",
    "Warning - is only permitted to be empty when actually unknown",
)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def copied(data: bytes, key: str = "ankle_ap", side: str = "L") -> Copy:
    return corrected_copy(data, BY_KEY[key], side, "model v1", WHEN)


def read(data: bytes) -> Dataset:
    return dcmread(BytesIO(data))


def test_the_header_says_what_the_image_shows_and_what_it_said_before() -> None:
    data = dicom_files.edited("copy")
    copy = copied(data)
    source, ds = read(data), read(copy.data)
    assert (ds.BodyPartExamined, ds.ViewPosition, ds.ImageLaterality) == ("ANKLE", "AP", "L")
    assert ds.SeriesDescription == "Ankle AP, left"
    assert ds.AnatomicRegionSequence[0].CodeValue == "70258002"
    (original,) = ds.OriginalAttributesSequence
    before = original.ModifiedAttributesSequence[0]
    assert (before.BodyPartExamined, before.ViewPosition, before.ImageLaterality) == ("KNEE", "LL", "R")
    assert (before.SOPInstanceUID, before.SeriesInstanceUID) == (source.SOPInstanceUID, source.SeriesInstanceUID)
    assert original.AttributeModificationDateTime == "20260102030405+0000"
    assert (original.ModifyingSystem, original.ReasonForTheAttributeModification) == ("msk-labeller", "CORRECT")
    assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    (equipment,) = ds.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Modifying Equipment"
    assert equipment.ContributionDescription.endswith("by the label ankle_ap by model v1")
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (copy.instance, copy.series)
    assert ds.file_meta.MediaStorageSOPInstanceUID == copy.instance
    untouched = {"PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "ImageType", "Modality", "PixelData"}
    assert all(ds[keyword] == source[keyword] for keyword in untouched)


@pytest.mark.parametrize(("sop_class", "side", "laterality"), [(CR, "L", "L"), (CR, "B", ""), (CR, "", "R")])
def test_the_side_of_a_series_is_that_of_its_images(sop_class: str, side: str, laterality: str) -> None:
    data = write_dx(dicom_files.gradient(12), header=dicom_files.header("copy"), bits=12, sop_class=sop_class)
    assert read(copied(data, side=side).data).Laterality == laterality


def test_a_repeat_is_the_same_object_and_another_label_another_one() -> None:
    data = dicom_files.edited("copy")
    assert copied(data) == copied(data)
    others = [copied(data), copied(data, "ankle_lateral"), copied(data, side="R"), copied(dicom_files.edited("other"))]
    assert len({each.instance for each in others}) == 4


def test_images_of_a_series_share_one_by_view_and_side() -> None:
    def into_one(ds: Dataset) -> None:
        ds.SeriesInstanceUID = "2.25.5"

    first, second = (dicom_files.edited(name, into_one) for name in ("a", "b"))
    assert copied(first).series == copied(second).series
    assert len({copied(first, key, side).series for key in ("ankle_ap", "knee_ap") for side in "LR"}) == 4


@pytest.mark.parametrize("transfer_syntax", sorted(WRITABLE))
def test_pixels_and_transfer_syntax_stay(transfer_syntax: str) -> None:
    data = dicom_files.edited("copy", transfer_syntax=transfer_syntax)
    source, ds = read(data), read(copied(data).data)
    assert ds.file_meta.TransferSyntaxUID == transfer_syntax
    assert ds["PixelData"].value == source["PixelData"].value
    assert ds["PixelData"].is_undefined_length == source["PixelData"].is_undefined_length


@pytest.mark.parametrize("sop_class", [CR, uid.DigitalXRayImageStorageForPresentation])
@pytest.mark.parametrize("before", ["KNEE", "PELVIS"])
@pytest.mark.parametrize("key", sorted(BY_KEY))
def test_no_validator_finds_an_error(sop_class: str, key: str, before: str) -> None:
    source = replace(dicom_files.header("copy"), body_part=before)
    data = write_dx(dicom_files.gradient(12), header=source, bits=12, sop_class=sop_class)
    for side in ("L", "B", ""):
        said = complaints(copied(data, key, side).data)
        assert [line for line in said if line not in complaints(data) and not any(map(line.startswith, KNOWN))] == []


#: What a DX has, and a Secondary Capture has no place for.
_OF_DX = """
    PresentationIntentType PositionerType AnatomicRegionSequence ViewCodeSequence ViewPosition ImagerPixelSpacing
    PixelIntensityRelationship PixelIntensityRelationshipSign RescaleIntercept RescaleSlope RescaleType DetectorType
    PresentationLUTShape WindowCenter WindowWidth AcquisitionContextSequence AcquisitionDate AcquisitionTime
"""


@pytest.mark.parametrize("modality", ["CR", "DX", "RG"])
@pytest.mark.parametrize("key", ["knee_lateral", "pelvis_ap", "pelvis_frog"])
@pytest.mark.parametrize("without", [("ImageLaterality",), ()])
def test_no_validator_finds_an_error_in_a_secondary_capture(modality: str, key: str, without: tuple[str, ...]) -> None:
    def make_secondary_capture(ds: Dataset) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
        ds.Modality, ds.ConversionType = modality, "DI"
        for keyword in (*_OF_DX.split(), *without):
            delattr(ds, keyword)

    data = dicom_files.edited("secondary capture", make_secondary_capture)
    for side in ("L", "B", ""):
        assert set(errors(copied(data, key, side).data)) <= set(errors(data))


def _not_valid(ds: Dataset) -> None:
    ds.BodyPartExamined, ds.ViewPosition, ds.SeriesDescription = "Left knee, weight-bearing", "a.p.", "D" * 90


def _signed(ds: Dataset) -> None:
    ds.DigitalSignaturesSequence, ds.MACParametersSequence = [Dataset()], [Dataset()]


def _copied_before(ds: Dataset) -> None:
    ds.update(read(copied(dicom_files.edited("first")).data))


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("change", [_not_valid, _signed, _copied_before])
def test_what_was_not_valid_makes_no_invalid_copy(change: Callable[[Dataset], None]) -> None:
    assert errors(copied(dicom_files.edited("copy", change)).data) == []


@pytest.mark.filterwarnings("ignore:.*")
def test_values_that_were_not_valid_are_kept_as_bytes(caplog: pytest.LogCaptureFixture) -> None:
    data = dicom_files.edited("copy", _not_valid)
    caplog.clear()
    copy = copied(data)
    assert caplog.text == "", "pydicom quotes values in its log"
    original, *others = read(copy.data).OriginalAttributesSequence
    nonconforming = [item for each in others for item in each.NonconformingModifiedAttributesSequence]
    kept = {item.SelectorAttribute: item for item in nonconforming}
    assert bytes(kept[0x00180015].NonconformingDataElementValue).strip() == b"Left knee, weight-bearing"
    assert "BodyPartExamined" not in original.ModifiedAttributesSequence[0]
    ds = read(copied(dicom_files.edited("copy", _copied_before)).data)
    assert len(ds.OriginalAttributesSequence) == len(ds.ContributingEquipmentSequence) == 2
    assert "DigitalSignaturesSequence" not in read(copied(dicom_files.edited("copy", _signed)).data)


@pytest.mark.filterwarnings("ignore:.*")
def test_what_cannot_be_copied_says_why(caplog: pytest.LogCaptureFixture) -> None:
    def long(ds: Dataset) -> None:
        ds.StudyInstanceUID = "2.25." + "1" * 70

    nested = dicom_files.nested_sequences(5000)
    for data, reason in (
        (dicom_files.edited("x", long), "unique identifier"),
        (nested, "anew|elements"),
        (b"", "DICOM"),
    ):
        with pytest.raises(NotClassifiable, match=reason):
            copied(data)
    for file in dicom_files.hostile_files():
        try:
            copied(file.data)
        except NotClassifiable as error:
            assert "Hidden" not in str(error)
    assert "Hidden" not in caplog.text
