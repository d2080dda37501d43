"""The report of a study in Orthanc: written, replaced where something else is known by now, otherwise left as it is.

Its unique identifier is a function of what it says and of its predecessors, so that nothing but Orthanc says whether it
is there. A new one is stored before the old one is deleted. A run that is killed in between leaves both, and the next
run sees by their predecessors which one is the newer; two runs at a time store the same object.
"""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from mskmodel.dicom.derived_uid import derived_uid
from mskmodel.dicom.study_header import BadHeader, study_header
from mskmodel.radiograph import Limits, NotClassifiable
from mskmodel.results.report import report
from workers.ledger import Ledger
from workers.pacs import OrthancClient, StudyInstance, TooLarge
from workers.results.findings import StudyFindings, findings_of, is_report, report_series
from workers.results.study import StudyError, check_one_patient

__all__ = ["NOTHING", "UNCHANGED", "WAITING", "WRITTEN", "ReportRefused", "Reported", "write_report"]

#: What became of a report.
WRITTEN, UNCHANGED, WAITING, NOTHING = "written", "unchanged", "waiting", "nothing to report"
#: Of what a report says and how; another one has all reports written anew.
FORMAT = 1

#: Images in a report. A study that has more is no visit for a joint, and would take minutes.
MOST = 1000

log = logging.getLogger(__name__)


class ReportRefused(StudyError):
    """No valid report can be made of this study."""


@dataclass(frozen=True)
class Reported:
    """What became of the report of a study. ``instance``: its SOP Instance UID, "" where there is none."""

    study: str
    status: str
    instance: str = ""
    images: int = 0
    waiting: int = 0
    """Instances that have no outcome yet."""


@dataclass(frozen=True)
class _Present:
    instance: str
    uid: str
    predecessors: tuple[str, ...]


def write_report(orthanc: OrthancClient, ledger: Ledger, study: str) -> Reported:
    """Bring the report of a study, by Orthanc's identifier, to what is known by now.

    Raises:
        StudyError: it can have none.
        OrthancNotFound: Orthanc holds no such study.
        OrthancError, redis.RedisError: Orthanc or the broker is away.
    """
    study_uid = orthanc.study_instance_uid(study)
    check_one_patient(orthanc, study_uid)
    instances = orthanc.study_instances(study)
    images = [each for each in instances if not is_report(each, study_uid)]
    found = findings_of(images, ledger.entries([each.instance for each in images]))
    if found.waiting:
        return Reported(study, WAITING, images=len(found.by_instance), waiting=found.waiting)
    if len(found.by_instance) > MOST:
        raise ReportRefused(f"a report has at most {MOST:,} images, and the study has {len(found.by_instance):,}")
    present = [_read(orthanc, each) for each in instances if is_report(each, study_uid)]
    if not found.by_instance:
        if found.left_out:
            raise ReportRefused("no valid report can be made of it: the unique identifiers of its images are not valid")
        _delete(orthanc, present)
        return Reported(study, NOTHING)
    named = {uid for each in present for uid in each.predecessors}
    latest = [each for each in present if each.uid not in named]
    said = _digest(found)
    right = next((each for each in latest if each.uid == _uid(study_uid, said, each.predecessors)), None)
    if right is None:
        predecessors = tuple(sorted(each.uid for each in latest))
        uid = _uid(study_uid, said, predecessors)
        _store(orthanc, study, _made(orthanc, found, uid, report_series(study_uid), predecessors))
        log.info("report-written study=%s images=%d", study, len(found.by_instance))
    else:
        uid = right.uid
    _delete(orthanc, [each for each in present if each.uid != uid])
    return Reported(study, UNCHANGED if right else WRITTEN, uid, len(found.by_instance))


def _uid(study_uid: str, said: str, predecessors: tuple[str, ...]) -> str:
    return str(derived_uid("report", study_uid, said, *predecessors))


def _digest(found: StudyFindings) -> str:
    """Changes with what the report says. The identity of the files stands for their headers."""
    said = [FORMAT, found.left_out, [asdict(each) for each in found.by_instance.values()]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _read(orthanc: OrthancClient, instance: StudyInstance) -> _Present:
    """A report that is there; one that cannot be read counts as one without predecessors."""
    data = orthanc.file(instance.instance, Limits().max_file_bytes)
    try:
        ds = dcmread(BytesIO(data), specific_tags=["PredecessorDocumentsSequence"])
        named = tuple(
            sorted(
                str(item.ReferencedSOPInstanceUID)
                for study in ds.get("PredecessorDocumentsSequence", ())
                for series in study.ReferencedSeriesSequence
                for item in series.ReferencedSOPSequence
            )
        )
    except (InvalidDicomError, AttributeError, ValueError):
        named = ()
    return _Present(instance.instance, instance.sop_instance, named)


def _made(orthanc: OrthancClient, found: StudyFindings, uid: str, series: str, predecessors: tuple[str, ...]) -> bytes:
    try:
        header = study_header(orthanc.file(found.reference, Limits().max_file_bytes))
    except (BadHeader, NotClassifiable, TooLarge) as error:
        raise ReportRefused(f"no valid report can be made of it: {error}") from None
    findings = list(found.by_instance.values())
    return report(findings, header, instance=uid, series=series, predecessors=predecessors, left_out=found.left_out)


def _store(orthanc: OrthancClient, study: str, data: bytes) -> None:
    stored = orthanc.upload(data)
    if orthanc.study_of(stored) != study:  # of a header that Orthanc reads otherwise
        orthanc.delete(stored)
        raise ReportRefused("no report can be stored in it: Orthanc takes its header for another study's")


def _delete(orthanc: OrthancClient, reports: list[_Present]) -> None:
    for each in reports:
        orthanc.delete(each.instance)
