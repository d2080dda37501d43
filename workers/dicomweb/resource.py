"""What a path below `/dicom-web` names. No other path reaches Orthanc, and none as it came in."""

import re
from dataclasses import dataclass
from enum import Enum

__all__ = ["LEVELS", "Kind", "Resource"]

#: From the top.
LEVELS = ("studies", "series", "instances")

_UID = r"[0-9][0-9.]{0,63}"
_WITHIN = rf"studies/(?P<study>{_UID})(?:/series/(?P<series>{_UID})(?:/instances/(?P<instance>{_UID}))?)?"
_FRAMES = r"/frames/[0-9]{1,9}(?:,[0-9]{1,9})*(?:/rendered|/thumbnail)?"
_BULK = r"/bulk/[0-9A-Fa-f]{1,8}(?:/[0-9A-Fa-f]{1,8})*"


class Kind(Enum):
    """How an answer is made."""

    SEARCH = re.compile(
        rf"(?:studies/(?P<study>{_UID})/(?:series/(?P<series>{_UID})/(?=instances))?(?!studies))?"
        r"(?P<level>studies|series|instances)"
    )
    """QIDO-RS: rows are rewritten, and found by what is rewritten."""
    METADATA = re.compile(rf"{_WITHIN}/metadata")
    """WADO-RS: the attributes of instances, rewritten."""
    PIXELS = re.compile(rf"{_WITHIN}(?:/rendered|/thumbnail|(?(instance)(?:{_FRAMES}|{_BULK})|(?!)))?")
    """WADO-RS: files, frames, pictures and large values, as Orthanc sends them."""


@dataclass(frozen=True)
class Resource:
    """A path, and its parts; UIDs are "" where it has none."""

    path: str
    kind: Kind
    level: str
    """Of the rows of a search; of the rows of metadata always `instances`."""
    study: str
    series: str
    instance: str

    @classmethod
    def of(cls, path: str) -> "Resource | None":
        """What the path names, without a slash at its beginning; None for nothing that is served."""
        for kind in Kind:
            if found := kind.value.fullmatch(path):
                parts = {name: value or "" for name, value in found.groupdict().items()}
                uids = (parts["study"], parts["series"], parts.get("instance", ""))
                return cls(path, kind, parts.get("level", LEVELS[-1]), *uids)
        return None
