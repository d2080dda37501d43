"""Export: copies of images whose headers say what they show, to wherever they are wanted."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from mskmodel.labels import known_labels
from mskmodel.radiograph import Limits, NotClassifiable
from mskmodel.results.corrected_copy import Copy, corrected_copy
from mskmodel.results.finding import NOT_JUDGED, Finding
from mskmodel.tables.label_cell import NONE
from workers.metadata.outcome import SKIPPED, Outcome
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient, OrthancError, StudyInstance, TooLarge
from workers.results.findings import finding_of, is_report
from workers.results.study import StudyError, check_one_patient, each_study

__all__ = ["Destination", "Export", "Exported", "export"]

#: Copies that are handed over together: their files lie on disk until they have been sent.
BATCH = 32


class Destination(Protocol):
    """Where copies go."""

    def take(self, copies: Iterable[Copy]) -> Iterator[tuple[Copy, str]]:
        """Each copy, in any order, with why it did not get there; "" where it did.

        Raises:
            OSError, SendError, OrthancError: none would get there.
        """


@dataclass(frozen=True)
class Exported:
    """A copy that got there: Orthanc's identifier of its source, its own unique identifiers, and its label."""

    instance: str
    sop_instance: str
    series: str
    label: str


@dataclass
class Export:
    """What became of an export."""

    copies: list[Exported] = field(default_factory=list)
    left_out: int = 0
    """Images that have neither truth nor label, or whose truth is none of the classes."""
    not_asked_for: int = 0
    """Images with another label than those that were asked for."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Studies as they were named, and instances by Orthanc's identifier; and why they were not exported."""


def export(
    orthanc: OrthancClient,
    studies: Iterable[str],
    destination: Destination,
    labels: Set[str] = frozenset(),
    progress: Callable[[int], None] = lambda _: None,
) -> Export:
    """Export the labelled images of these studies; what cannot be done for one does not stop the others.

    Args:
        studies: Study Instance UIDs or Orthanc's identifiers.
        labels: keys of those that are wanted; empty for all.
        progress: called with the number of studies that are done.

    Raises:
        OrthancError: Orthanc is away.
        OSError, SendError: the destination takes nothing.
    """
    result = Export()
    result.problems += each_study(
        orthanc, studies, lambda study: _export_study(orthanc, study, destination, labels, result), progress
    )
    return result


def _export_study(
    orthanc: OrthancClient, study: str, destination: Destination, labels: Set[str], result: Export
) -> None:
    study_uid = orthanc.study_instance_uid(study)
    check_one_patient(orthanc, study_uid)
    wanted = []
    for instance in orthanc.study_instances(study):
        if is_report(instance, study_uid):
            continue
        finding = finding_of(instance, Outcome.of(instance.metadata) or Outcome(SKIPPED, "", 0))
        if finding is None or finding.label in (None, NONE):
            result.left_out += 1
        elif labels and finding.label not in labels:
            result.not_asked_for += 1
        else:
            wanted.append((instance, finding))
    for first in range(0, len(wanted), BATCH):
        _export_batch(orthanc, wanted[first : first + BATCH], destination, result)


def _export_batch(
    orthanc: OrthancClient,
    batch: Sequence[tuple[StudyInstance, Finding]],
    destination: Destination,
    result: Export,
) -> None:
    sources: dict[str, tuple[str, str]] = {}

    def made() -> Iterator[Copy]:
        for instance, finding in batch:
            try:
                copy = _copy(orthanc, instance, finding)
            except (NotClassifiable, StudyError, TooLarge) as error:
                result.problems.append((instance.instance, str(error)))
                continue
            except OrthancError as error:
                orthanc.statistics()  # raises if Orthanc is away
                result.problems.append((instance.instance, f"Orthanc does not deliver it: {error.what}"))
                continue
            sources[copy.instance] = instance.instance, str(finding.label)
            yield copy

    for copy, problem in destination.take(made()):
        source, label = sources[copy.instance]
        if problem:
            result.problems.append((source, problem))
        else:
            result.copies.append(Exported(source, copy.instance, copy.series, label))


def _copy(orthanc: OrthancClient, instance: StudyInstance, finding: Finding) -> Copy:
    label = known_labels().get(finding.label or "")
    if label is None:
        raise StudyError(f"no table of labels says what {finding.label} is: name it in MSK_LABELS")
    data = orthanc.file(instance.instance, Limits().max_file_bytes)
    by = f"model {finding.model}" if finding.judged == NOT_JUDGED else "a person"
    return corrected_copy(data, label, finding.side, by, _said_at(instance))


def _said_at(instance: StudyInstance) -> datetime:
    """When the label was given; else when Orthanc received the image, in UTC without a time zone."""
    truth, outcome = Truth.standing(instance.metadata), Outcome.of(instance.metadata)
    for text in (truth.time if truth else "", outcome.labelled_at if outcome else ""):
        try:
            if (found := datetime.fromisoformat(text)).tzinfo:
                return found
        except (TypeError, ValueError):
            continue
    return datetime.fromisoformat(instance.metadata["ReceptionDate"]).replace(tzinfo=UTC)
