"""What is known of the images of a study, from Orthanc's metadata alone."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mskmodel.dicom.derived_uid import derived_uid
from mskmodel.evidence.terms import sure_region
from mskmodel.results.finding import CONFIRMED, CORRECTED, GIVEN, NOT_JUDGED, Finding
from mskmodel.results.report import REPORT
from mskmodel.tables.label_cell import NONE
from workers.ledger import Entry
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED, Outcome
from workers.metadata.truth import Truth
from workers.pacs import StudyInstance
from workers.records.known_values import known_claims, known_key

__all__ = ["StudyFindings", "finding_of", "findings_of", "is_report", "report_series"]

#: What an answer may rest on beside the pixels.
_EVIDENCE: Final = ("header", "siblings")
_UID: Final = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True)
class StudyFindings:
    """The images of a study that something is known of."""

    by_instance: dict[str, Finding]
    """In the order of the report, by Orthanc's identifier."""
    waiting: int
    """Instances that have no outcome yet, or are to be labelled again."""
    left_out: int
    """Images that nothing valid can refer to, since their unique identifiers are not valid."""

    @property
    def reference(self) -> str:
        """The image whose header says which patient and study these are: one that could be read, if there is any."""
        read = (i for i, each in self.by_instance.items() if each.status in (LABELLED, NEEDS_REVIEW))
        return next(read, next(iter(self.by_instance)))


def report_series(study_uid: str) -> str:
    """Series Instance UID of the reports of a study."""
    return str(derived_uid("reports", study_uid))


def is_report(instance: StudyInstance, study_uid: str) -> bool:
    """Whether it is a report of ours."""
    return instance.series == report_series(study_uid) and instance.metadata.get("SopClassUid") == REPORT


def findings_of(instances: Sequence[StudyInstance], entries: Mapping[str, Entry]) -> StudyFindings:
    """What is known of these instances of a study; without its reports. ``entries``: theirs in the ledger."""
    found: dict[str, Finding] = {}
    waiting = left_out = 0
    for each in sorted(instances, key=lambda each: (each.series, each.sop_instance)):
        entry, outcome = entries.get(each.instance), Outcome.of(each.metadata)
        if (outcome is None and entry is None) or (entry is not None and not entry.failed):
            waiting += 1
        elif finding := finding_of(each, outcome or Outcome(FAILED, "", 0)):
            if _can_be_named(finding):
                found[each.instance] = finding
            else:
                left_out += 1
    return StudyFindings(found, waiting, left_out)


def finding_of(instance: StudyInstance, outcome: Outcome) -> Finding | None:
    """What is known of an instance; None where it is not for the model, and nobody has said what it shows."""
    truth = Truth.standing(instance.metadata)
    if outcome.status not in (LABELLED, NEEDS_REVIEW, FAILED) and truth is None:
        return None
    model_label, claims = known_key(outcome.label), known_claims(outcome.claims)
    label = known_key((truth.label or NONE) if truth else model_label)
    answered = outcome.status in (LABELLED, NEEDS_REVIEW)
    return Finding(
        sop_class=instance.metadata.get("SopClassUid", ""),
        sop_instance=instance.sop_instance,
        series=instance.series,
        modality=instance.modality,
        status=outcome.status if answered or outcome.status == FAILED else SKIPPED,
        label=label,
        side=(truth.side if truth else "") or (claims.side if claims else ""),
        side_by_person=bool(truth and truth.side),
        region=sure_region(*outcome.region) if outcome.region and not label else "",
        model_label=model_label,
        probability=_share(outcome.confidence),
        model=known_key(outcome.model) or "",
        evidence=_evidence(outcome) if answered else (),
        judged=_judged(truth, label, model_label),
        file=known_key(outcome.attachment_md5) or "",
    )


def _evidence(outcome: Outcome) -> tuple[str, ...]:
    beside: object = outcome.evidence
    return ("pixels", *(each for each in _EVIDENCE if isinstance(beside, dict) and each in beside))


def _judged(truth: Truth | None, label: str | None, model_label: str | None) -> str:
    if truth is None:
        return NOT_JUDGED
    if model_label is None:
        return GIVEN
    return CONFIRMED if label == model_label else CORRECTED


def _share(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1 else None


def _can_be_named(finding: Finding) -> bool:
    return all(_UID.fullmatch(each) for each in (finding.sop_class, finding.sop_instance, finding.series))
