"""A study that somebody names, as Orthanc holds it."""

import re

from workers.pacs import OrthancClient

__all__ = ["AmbiguousStudy", "StudyError", "UnknownStudy", "check_one_patient", "find_study"]

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


def check_one_patient(orthanc: OrthancClient, study_uid: str) -> None:
    """Raise AmbiguousStudy where Orthanc holds this Study Instance UID under several patients."""
    _check(orthanc.studies_with(study_uid))


def _check(found: list[str]) -> None:
    if len(found) > 1:
        raise AmbiguousStudy(
            f"Orthanc holds this Study Instance UID under {len(found)} patients: correct the header of what was stored "
            "under the wrong one, and delete that"
        )
