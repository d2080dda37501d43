"""Importing what people say: every row is checked before the first is written."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workers.corrections.csv_table import Problem, Row
from workers.metadata.outcome import TRUTH
from workers.metadata.truth import Truth, TruthConflict, TruthError, UnknownInstance, checked_label
from workers.metadata.truth_changes import set_truth
from workers.pacs import OrthancClient, OrthancError, OrthancRefused, OrthancUnavailable

__all__ = [
    "INSTANCE",
    "SOP_INSTANCE_UID",
    "Assignment",
    "Interrupted",
    "assign",
    "check_instances",
    "find_instance",
    "without_repeats",
]

INSTANCE, SOP_INSTANCE_UID = "instance", "SOPInstanceUID"

#: Rows checked at a time.
PAGE = 500

_UID = re.compile(r"[0-9.]{1,64}")
_UNKNOWN = "Orthanc holds no such instance"


class NotStored(TruthError):
    """Orthanc does not take a file."""


class Interrupted(TruthError):
    """Orthanc went away between two rows."""


@dataclass(frozen=True)
class Assignment:
    """A row that may be written. A file is stored in Orthanc first."""

    line: int
    image: str | Path
    label: str | None


def find_instance(orthanc: OrthancClient, name: str) -> str:
    """The instance of that Orthanc identifier or SOP Instance UID. Raises UnknownInstance."""
    return _only(orthanc.lookup_all([name]).get(name, [])) if _UID.fullmatch(name) else name


def _only(found: Sequence[str]) -> str:
    if not found:
        raise UnknownInstance(_UNKNOWN)
    if len(found) > 1:
        raise UnknownInstance("several instances share this SOP Instance UID; name one by its Orthanc identifier")
    return found[0]


def check_instances(
    orthanc: OrthancClient, rows: Sequence[Row], classes: Collection[str], progress: Callable[[int], None]
) -> tuple[list[Assignment], list[Problem]]:
    """What may be written, and why the rest may not. ``progress`` is told the number of rows looked at."""
    assignments: list[Assignment] = []
    problems: list[Problem] = []
    for first in range(0, len(rows), PAGE):
        page = rows[first : first + PAGE]
        by_uid = orthanc.lookup_all([row.name for row in page if row.column != INSTANCE and _UID.fullmatch(row.name)])
        found = {row.line: [row.name] if row.column == INSTANCE else by_uid.get(row.name, []) for row in page}
        metadata = orthanc.metadata_of(list({each for several in found.values() for each in several}))
        for row in page:
            try:
                instance_id = _only(found[row.line])
                label = checked_label(row.label, classes)
                _check_replaceable(metadata.get(instance_id), label, row.time)
                assignments.append(Assignment(row.line, instance_id, label))
            except TruthError as error:
                problems.append(Problem(row.line, str(error)))
        progress(first + len(page))
    return without_repeats(assignments, problems)


def _check_replaceable(metadata: Mapping[str, str] | None, label: str | None, known: str) -> None:
    """``known``: the time of what the person who filled in the row had before their eyes, "" if that is not said."""
    if metadata is None:
        raise UnknownInstance(_UNKNOWN)
    truth = Truth.of(metadata)
    if TRUTH in metadata and truth is None:
        raise TruthConflict(f"its {TRUTH} was written by something else and cannot be read; delete it in Orthanc first")
    if truth and _is_later(truth.time, known) and (truth.now.withdrawn or truth.label != label):
        said = (
            "it was withdrawn" if truth.now.withdrawn else f"it was said to be {truth.label or 'none of the classes'}"
        )
        raise TruthConflict(f"{said} at {truth.time}, after the row's own time; look at it, then empty that field")


def _is_later(time: str, known: str) -> bool:
    """False too where one of them is no time, such as what a spreadsheet made of it."""
    try:
        return datetime.fromisoformat(time) > datetime.fromisoformat(known)
    except (ValueError, TypeError):
        return False


def without_repeats(
    assignments: Sequence[Assignment], problems: Sequence[Problem]
) -> tuple[list[Assignment], list[Problem]]:
    """An image that is named twice is a problem where the two rows disagree; the problems come in order of lines."""
    first: dict[str | Path, Assignment] = {}
    contradictions = []
    for each in assignments:
        before = first.setdefault(each.image, each)
        if before.label != each.label:
            contradictions.append(Problem(each.line, f"contradicts line {before.line}, which names the same image"))
    return list(first.values()), sorted([*problems, *contradictions], key=lambda problem: problem.line)


def assign(
    orthanc: OrthancClient,
    assignments: Sequence[Assignment],
    author: str,
    classes: Collection[str],
    progress: Callable[[int], None],
) -> list[Problem]:
    """Write them; the rows that could not be written, the others are. Doing it again changes nothing more.

    Raises:
        Interrupted: Orthanc went away; the rows before are written.
    """
    problems: list[Problem] = []
    for done, each in enumerate(assignments):
        try:
            if reason := _assign(orthanc, each, author, classes):
                problems.append(Problem(each.line, reason))
        except OrthancError as error:
            raise Interrupted(
                f"{done - len(problems)} of {len(assignments)} rows are written, then Orthanc failed: {error}. "
                "Run it again; what is written stays as it is"
            ) from error
        progress(done + 1)
    return problems


def _assign(orthanc: OrthancClient, each: Assignment, author: str, classes: Collection[str]) -> str | None:
    """Write one row; None, or why this one cannot be written. Raises OrthancError for what concerns all of them."""
    try:
        instance_id = each.image if isinstance(each.image, str) else _stored(orthanc, each.image)
        set_truth(orthanc, instance_id, each.label, author, classes)
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    except TruthError as error:
        return str(error)
    return None


def _stored(orthanc: OrthancClient, path: Path) -> str:
    data = path.read_bytes()
    try:
        try:
            return orthanc.upload(data)
        except OrthancUnavailable:  # the connection may just have grown old; the same file twice is one instance
            return orthanc.upload(data)
    except OrthancRefused as error:
        raise NotStored("Orthanc does not take the file") from error
