"""The content of a report: TID 1500 with an image library (TID 1600) and a measurement group (TID 1501) for each image.

A group says what an image shows (Finding, Finding Site, Image View), what came of it, by which algorithm (TID 4019) and
how surely, and whether a person has said so. Where no label is given, it says that, with the region if that is clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.dicom.codes import UNPAIRED
from mskmodel.dicom.derived_uid import derived_uid
from mskmodel.labels import known_labels, parts_of
from mskmodel.results.concepts import (
    JUDGED,
    JUDGEMENTS,
    LABEL_BY_MODEL,
    MODALITIES,
    NO_LABEL,
    OUTCOME,
    OUTCOMES,
    SIDE_BY,
    SIDES_BY,
    label_code,
    region_code,
    side_code,
    view_code,
)
from mskmodel.results.finding import CORRECTED, Finding
from mskmodel.results.program import MANUFACTURER, PROGRAM
from mskmodel.tables.label_cell import NONE

__all__ = ["ALGORITHM", "report_content"]

#: Name of the algorithm; its version is that of the model.
ALGORITHM: Final = f"{PROGRAM} AlexNet"
#: Percent, as a probability is given.
_DIGITS: Final = 2


def report_content(findings: Sequence[Finding]) -> MeasurementReport:
    """The content tree; one finding an image, at least one."""
    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device"), name=PROGRAM, manufacturer_name=MANUFACTURER, model_name=PROGRAM
    )
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=device
            )
        ),
        procedure_reported=codes.cid100.XRUnspecifiedBodyRegion,
        imaging_measurements=[_group(each) for each in findings],
    )
    items = content[0].ContentSequence
    items.insert(len(items) - 1, _image_library(findings))  # before the measurements, as the template has it
    return content


def _image_library(findings: Sequence[Finding]) -> ContainerContentItem:
    """TID 1600, with one group: the images, and of each what TID 1602 and 1603 have a place for and is known."""
    group = ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=RelationshipTypeValues.CONTAINS)
    group.ContentSequence = ContentSequence([_library_entry(each) for each in findings])
    library = ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=RelationshipTypeValues.CONTAINS)
    library.ContentSequence = ContentSequence([group])
    return library


def _library_entry(finding: Finding) -> ImageContentItem:
    image = ImageContentItem(
        Code("260753009", "SCT", "Source"),
        finding.sop_class,
        finding.sop_instance,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    described = [(codes.DCM.Modality, MODALITIES.get(finding.modality)), (codes.DCM.ImageLaterality, _side(finding))]
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    if known := [CodeContentItem(name, value, relationship_type=context) for name, value in described if value]:
        image.ContentSequence = ContentSequence(known)
    return image


def _group(finding: Finding) -> MeasurementsAndQualitativeEvaluations:
    tracking = derived_uid("finding", finding.sop_instance)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(tracking, f"Label of {finding.sop_instance}"),
        finding_type=label_code(finding.label) if finding.label else NO_LABEL,
        finding_sites=list(_sites(finding)),
        algorithm_id=_algorithm(finding),
        source_images=[SourceImageForMeasurementGroup(finding.sop_class, finding.sop_instance)],
        measurements=list(_certainty(finding)),
        qualitative_evaluations=[QualitativeEvaluation(name, value) for name, value in _evaluations(finding)],
    )


def _sites(finding: Finding) -> Iterator[FindingSite]:
    region = parts_of(finding.label)[0] if _names_a_view(finding.label) else finding.region
    if region:
        yield FindingSite(region_code(finding.label, region), _side(finding))


def _side(finding: Finding) -> Code | None:
    label = known_labels().get(finding.label or "")
    return None if label and label.body_part in UNPAIRED else side_code(finding.side)


def _algorithm(finding: Finding) -> AlgorithmIdentification | None:
    if not finding.model:
        return None
    parameters = [f"evidence: {', '.join(finding.evidence)}"] if finding.evidence else None
    family = codes.cid7162.ArtificialIntelligence
    return AlgorithmIdentification(ALGORITHM, finding.model, parameters, family, MANUFACTURER)


def _names_a_view(label: str | None) -> TypeGuard[str]:
    """Whether it says more than that an image is none of the classes."""
    return label is not None and label != NONE


def _certainty(finding: Finding) -> Iterator[Measurement]:
    """How sure the model is, where what it says is what counts."""
    if finding.probability is not None and finding.label and finding.label == finding.model_label:
        value = round(100 * finding.probability, _DIGITS)
        yield Measurement(codes.DCM.CertaintyOfFinding, value, codes.UCUM.Percent)


def _evaluations(finding: Finding) -> Iterator[tuple[Code, Code]]:
    yield OUTCOME, OUTCOMES[finding.status]
    if _names_a_view(finding.label) and (view := parts_of(finding.label)[1]):
        yield codes.DCM.ImageView, view_code(finding.label, view)
    if _side(finding):
        yield SIDE_BY, SIDES_BY[finding.side_by_person]
    yield JUDGED, JUDGEMENTS[finding.judged]
    if finding.judged == CORRECTED and finding.model_label:
        yield LABEL_BY_MODEL, label_code(finding.model_label)
