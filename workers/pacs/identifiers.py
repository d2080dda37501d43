"""Orthanc's identifiers, which are hashes of the unique keys of a file: who has the file need not ask for its study."""

from hashlib import sha1

from mskmodel.radiograph import UniqueKeys

__all__ = ["study_of"]


def study_of(instance_id: str, keys: UniqueKeys) -> str | None:
    """The study of an instance whose file has these keys.

    None where the instance's own identifier does not come out: Orthanc read the file in another way, and must be asked.
    """
    path = (keys.patient, keys.study, keys.series, keys.instance)
    return _identifier(path[:2]) if _identifier(path) == instance_id else None


def _identifier(path: tuple[str, ...]) -> str:
    digest = sha1("|".join(path).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[first : first + 8] for first in range(0, 40, 8))
