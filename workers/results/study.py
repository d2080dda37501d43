"""A study that somebody names, as Orthanc holds it."""

import re
from collections.abc import Callable, Iterable

from workers.pacs import OrthancClient, OrthancError, OrthancNotFound

__all__ = ["AmbiguousStudy", "StudyError", "UnknownStudy", "check_one_patient", "each_study", "find_study"]

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


class StudyError(Exception):
    """Nothing can be done for this study. The message says why, and names no patient."""


class UnknownStudy(StudyError):
    """Orthanc holds no such study."""


class AmbiguousStudy(StudyError):
    """Studies of several patients share a Study Instance UID."""


def find_study(orthanc: OrthancClient, name: str) -> str:
    """Orthanc's identifier of a study, given that or its Study Instance UID. Raises UnknownStudy, AmbiguousStudy."""
    if _IDENTIFIER.fullmatch(name):
        return name
    if not _UID.fullmatch(name):
        raise UnknownStudy("that is neither a Study Instance UID nor an identifier of Orthanc")
    found = orthanc.studies_with(name)
    if not found:
        raise UnknownStudy("Orthanc holds no study with this Study Instance UID")
    _check(found)
    return found[0]


def each_study(
    orthanc: OrthancClient, names: Iterable[str], do: Callable[[str], None], progress: Callable[[int], None]
) -> list[tuple[str, str]]:
    """Do something for each study; those for which it cannot be done, as they were named, and why.

    Args:
        names: Study Instance UIDs or Orthanc's identifiers.
        do: called with Orthanc's identifier.
        progress: called with the number of studies that are done.

    Raises:
        OrthancError: Orthanc is away. What else `do` raises is passed on.
    """
    problems = []
    for number, name in enumerate(names, 1):
        try:
            do(find_study(orthanc, name))
        except StudyError as error:
            problems.append((name, str(error)))
        except OrthancNotFound:
            problems.append((name, "Orthanc does not hold it, or something of it was deleted meanwhile"))
        except OrthancError as error:
            orthanc.statistics()  # raises if Orthanc is away
            problems.append((name, f"Orthanc failed: {error.what}"))
        progress(number)
    return problems


def check_one_patient(orthanc: OrthancClient, study_uid: str) -> None:
    """Raise AmbiguousStudy where Orthanc holds this Study Instance UID under several patients."""
    _check(orthanc.studies_with(study_uid))


def _check(found: list[str]) -> None:
    if len(found) > 1:
        raise AmbiguousStudy(
            f"Orthanc holds this Study Instance UID under {len(found)} patients: correct the header of what was stored "
            "under the wrong one, and delete that"
        )
