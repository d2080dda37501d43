"""Imports truths: every row is checked before the first is written."""

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mskmodel.tables.problems import Problem
from workers.corrections.csv_table import Row
from workers.metadata.outcome import TRUTH
from workers.metadata.truth import Truth, TruthConflict, TruthError, UnknownInstance, checked_label
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
    """Orthanc refuses to store a file."""


class Interrupted(TruthError):
    """Orthanc failed in the middle of an import."""


@dataclass(frozen=True)
class Assignment:
    """A checked row. ``image``: an instance, or a file that is stored in Orthanc first."""

    line: int
    image: str | Path
    label: str | None


def find_instance(orthanc: OrthancClient, name: str) -> str:
    """The Orthanc identifier for a SOP Instance UID; any other name is returned unchecked. Raises UnknownInstance."""
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
    """Rows that can be imported, and the problems of the others. ``progress``: called with the number checked."""
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
    return without_repeats(assignments, problems, lambda each: each.image)


def _check_replaceable(metadata: Mapping[str, str] | None, label: str | None, known: str) -> None:
    """Raise TruthConflict or UnknownInstance if the row must not change the instance's truth.

    ``known``: time of the truth that the author of the row saw in the export, "" if the row has none.
    """
    if metadata is None:
        raise UnknownInstance(_UNKNOWN)
    truth = Truth.of(metadata)
    if TRUTH in metadata and truth is None:
        raise TruthConflict(f"its {TRUTH} was written by other software and cannot be read; delete it in Orthanc first")
    if truth and _is_later(truth.time, known) and (truth.now.withdrawn or truth.label != label):
        change = "withdrawn" if truth.now.withdrawn else f"set to {truth.label or 'none of the classes'}"
        raise TruthConflict(
            f"its truth was {change} at {truth.time}, after the row's time; look at it, then clear the row's time"
        )


def _is_later(time: str, known: str) -> bool:
    """Whether ``time`` is after ``known``; False if one is no ISO 8601 time, as after editing in a spreadsheet."""
    try:
        return datetime.fromisoformat(time) > datetime.fromisoformat(known)
    except (ValueError, TypeError):
        return False


def without_repeats(
    assignments: Sequence[Assignment], problems: Sequence[Problem], image: Callable[[Assignment], Hashable]
) -> tuple[list[Assignment], list[Problem]]:
    """One row per image; a row that contradicts an earlier one becomes a problem. Problems are in order of lines.

    ``image``: by what rows of the same image are known.
    """
    first: dict[Hashable, Assignment] = {}
    contradictions = []
    for each in assignments:
        before = first.setdefault(image(each), each)
        if before.label != each.label:
            contradictions.append(Problem(each.line, f"contradicts line {before.line}, which names the same image"))
    return list(first.values()), sorted([*problems, *contradictions], key=lambda problem: problem.line)


def assign(
    orthanc: OrthancClient,
    assignments: Sequence[Assignment],
    say: Callable[[str, str | None], object],
    progress: Callable[[int], None],
) -> list[Problem]:
    """Write the rows; returns the problems of those that could not be written. Idempotent.

    Args:
        say: sets the truth of an instance, given its label.

    Raises:
        Interrupted: Orthanc failed; the rows before that are written. What `say` raises beside it and TruthError is
            passed on.
    """
    problems: list[Problem] = []
    for done, each in enumerate(assignments):
        try:
            if reason := _assign(orthanc, each, say):
                problems.append(Problem(each.line, reason))
        except OrthancError as error:
            raise Interrupted(
                f"{done - len(problems)} of {len(assignments)} rows are written, then Orthanc failed: {error}. "
                "Run it again; what is written stays as it is"
            ) from error
        progress(done + 1)
    return problems


def _assign(orthanc: OrthancClient, each: Assignment, say: Callable[[str, str | None], object]) -> str | None:
    """Write one row; None, or the reason why it cannot be written. Raises OrthancError for what concerns all rows."""
    try:
        instance_id = each.image if isinstance(each.image, str) else _stored(orthanc, each.image)
        say(instance_id, each.label)
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
        except OrthancUnavailable:  # perhaps only an expired connection; to upload twice is safe
            return orthanc.upload(data)
    except OrthancRefused as error:
        raise NotStored("Orthanc refuses to store the file") from error
