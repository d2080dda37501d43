"""The report of a study: a Comprehensive 3D SR by TID 1500, with a measurement group for each image.

It is in English and ASCII, but for what it copies from the study's header. It names no person, and so it is never
verified: a verified one names who did that (PS3.3 C.17.2). What a person said of an image stands in its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import Comprehensive3DSR
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from mskmodel.dicom.codes import coded
from mskmodel.dicom.derived_uid import IMPLEMENTATION, derived_uid
from mskmodel.results.concepts import SCHEME
from mskmodel.results.finding import NOT_JUDGED, Finding
from mskmodel.results.program import MANUFACTURER, PROGRAM, version
from mskmodel.results.report_content import ALGORITHM, report_content

__all__ = ["REPORT", "report"]

#: SOP class of a report.
REPORT: Final = uid.Comprehensive3DSRStorage
#: Above those that modalities count up to.
_SERIES_NUMBER: Final = 9001
#: Of a long string.
_LONGEST_VERSION: Final = 64
#: What highdicom asks for; what the study's header says takes its place.
_ASKED_FOR: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


class _Report(Comprehensive3DSR):
    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Nothing: that of an image is copied as it lies in its file, whatever its SOP class."""


def report(
    findings: Sequence[Finding],
    header: Dataset,
    *,
    instance: str,
    series: str,
    predecessors: Sequence[str] = (),
    left_out: int = 0,
) -> bytes:
    """Return the DICOM file of a report.

    Args:
        findings: one an image, at least one.
        header: patient and study, as `mskmodel.dicom.study_header` reads them.
        instance: its SOP Instance UID.
        series: its Series Instance UID.
        predecessors: SOP Instance UIDs of the reports in that series whose place it takes.
        left_out: images that it cannot refer to.
    """
    study = header.StudyInstanceUID
    missing = left_out + sum(each.status == "failed" and each.judged == NOT_JUDGED for each in findings)
    ds = _Report(
        evidence=[_evidence(study, each) for each in findings],
        content=report_content(findings),
        series_instance_uid=series,
        series_number=_SERIES_NUMBER,
        sop_instance_uid=instance,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=PROGRAM,
        software_versions=version(),
        device_serial_number="0",
        series_description="Labels of radiographs",
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="Labels of radiographs, and what came of them")],
        is_complete=not missing,
        is_final=False,
        is_verified=False,
        previous_versions=[_reference(study, series, each) for each in predecessors] or None,
    )
    if missing:
        ds.CompletionFlagDescription = f"{missing} of {left_out + len(findings)} images have no result"
    ds.file_meta.ImplementationClassUID, ds.file_meta.ImplementationVersionName = IMPLEMENTATION, "MSK-LABELLER"
    equipment = [_algorithm(model) for model in sorted({each.model for each in findings} - {""})]
    ds["ContributingEquipmentSequence"].value.extend(equipment)
    for tag in header.keys():  # noqa: SIM118 (iterating over it would decode)
        ds[tag] = header.get_item(tag)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _reference(study: str, series: str, instance: str, sop_class: str = REPORT) -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, instance
    return ds


def _algorithm(model: str) -> Dataset:
    """A version of the model as a device, as IHE's AI Results asks for it (6.5.3.1): another version is another one."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.ProcessingEquipment)]
    item.Manufacturer, item.ManufacturerModelName = MANUFACTURER, ALGORITHM
    item.SoftwareVersions = model[:_LONGEST_VERSION]
    item.DeviceUID = derived_uid("model", model)
    return item


def _evidence(study: str, finding: Finding) -> Dataset:
    ds = _reference(study, finding.series, finding.sop_instance, finding.sop_class)
    for keyword in _ASKED_FOR:
        setattr(ds, keyword, "")
    return ds
