"""What Orthanc answers, as frozen objects.

Each `of` raises KeyError, TypeError or ValueError for an answer that is not of Orthanc's shape.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "ChangesPage", "Instance", "Statistics", "System"]


@dataclass(frozen=True)
class System:
    """What this Orthanc can do. Servers before 1.12 have no labels, before 1.12.8 no numbered revisions."""

    version: str
    database_version: int
    has_labels: bool
    has_revisions: bool
    has_extended_find: bool
    """Whether `/tools/find` can answer with metadata alone (1.12.5)."""
    check_revisions: bool
    """Whether it refuses to overwrite metadata without naming the revision."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "System":
        """From `/system`; a development version ("mainline") counts as newer than any."""
        version = str(found["Version"])
        numbers = tuple(map(int, re.findall(r"\d+", version)))
        return cls(
            version=version,
            database_version=int(found["DatabaseVersion"]),
            has_labels=bool(found.get("HasLabels", False)),
            has_revisions=not numbers or numbers >= (1, 12, 8),
            has_extended_find=bool(found.get("Capabilities", {}).get("HasExtendedFind", False)),
            check_revisions=bool(found.get("CheckRevisions", False)),
        )


@dataclass(frozen=True)
class Statistics:
    """What Orthanc holds, in resources and in bytes on disk."""

    patients: int
    studies: int
    series: int
    instances: int
    disk_bytes: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Statistics":
        """From `/statistics`."""
        return cls(
            patients=int(found["CountPatients"]),
            studies=int(found["CountStudies"]),
            series=int(found["CountSeries"]),
            instances=int(found["CountInstances"]),
            disk_bytes=int(found["TotalDiskSize"]),
        )


@dataclass(frozen=True)
class Change:
    """One row of `/changes`: `kind` as in "NewInstance", `level` as in "Instance"."""

    seq: int
    kind: str
    resource_id: str
    level: str


@dataclass(frozen=True)
class ChangesPage:
    """Rows in order; `last` is the number to go on from, less than that asked with if the database is new."""

    rows: list[Change]
    last: int
    done: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "ChangesPage":
        """From `/changes`."""
        rows = [Change(int(row["Seq"]), row["ChangeType"], row["ID"], row["ResourceType"]) for row in found["Changes"]]
        return cls(rows, int(found["Last"]), bool(found["Done"]))


@dataclass(frozen=True)
class Instance:
    """An instance and what its header says of the view; "" for what it does not say."""

    id: str
    series: str
    sop_instance_uid: str
    sop_class: str
    modality: str
    body_part: str
    view_position: str
    laterality: str
    file_bytes: int

    @classmethod
    def of(cls, found: Mapping[str, Any], tags: Mapping[str, Any]) -> "Instance":
        """From `/instances/{id}` and its `/simplified-tags`."""

        def tag(keyword: str) -> str:
            return str(tags.get(keyword) or "")

        return cls(
            id=found["ID"],
            series=found["ParentSeries"],
            sop_instance_uid=tag("SOPInstanceUID"),
            sop_class=tag("SOPClassUID"),
            modality=tag("Modality"),
            body_part=tag("BodyPartExamined"),
            view_position=tag("ViewPosition"),
            laterality=tag("ImageLaterality") or tag("Laterality"),
            file_bytes=int(found["FileSize"]),
        )
