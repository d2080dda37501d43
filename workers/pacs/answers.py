"""Orthanc's answers as frozen objects.

Each `of` raises KeyError, TypeError or ValueError for an answer that is not of Orthanc's shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Above", "Change", "ChangesPage", "Parents", "Statistics", "Stored", "StudyInstance", "System"]


@dataclass(frozen=True)
class System:
    """What this Orthanc can do. Servers before 1.12 have no labels."""

    version: str
    has_labels: bool
    has_extended_find: bool
    """Whether `/tools/find` can answer with metadata alone (1.12.5)."""
    check_revisions: bool
    """Whether it refuses to overwrite metadata unless the request names the revision that it replaces."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "System":
        """From `/system`."""
        return cls(
            version=str(found["Version"]),
            has_labels=bool(found.get("HasLabels", False)),
            has_extended_find=bool(found.get("Capabilities", {}).get("HasExtendedFind", False)),
            check_revisions=bool(found.get("CheckRevisions", False)),
        )


@dataclass(frozen=True)
class Statistics:
    """How much Orthanc holds."""

    instances: int
    studies: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Statistics":
        """From `/statistics`."""
        return cls(instances=int(found["CountInstances"]), studies=int(found["CountStudies"]))


@dataclass(frozen=True)
class Parents:
    """The resources that an instance belongs to, as Orthanc identifiers, which reveal nothing about the patient."""

    series: str
    study: str
    patient: str


@dataclass(frozen=True)
class Above:
    """What stands above an instance: the resources, as `Parents` has them, and what the header says of them.

    The latter as Orthanc keeps it, "" where there is none: of series and study, what their first instance said.
    """

    series: str
    study: str
    patient: str
    sop_instance: str
    series_uid: str
    study_uid: str
    modality: str
    study_date: str
    study_time: str

    @classmethod
    def of(cls, instance: Mapping[str, Any], series: Mapping[str, Any], study: Mapping[str, Any]) -> "Above":
        """From short rows of `/tools/bulk-content`."""
        of_series, of_study = series["MainDicomTags"], study["MainDicomTags"]
        return cls(
            series=str(series["ID"]),
            study=str(study["ID"]),
            patient=str(study["ParentPatient"]),
            sop_instance=str(instance["MainDicomTags"].get("0008,0018", "")),
            series_uid=str(of_series.get("0020,000e", "")),
            study_uid=str(of_study.get("0020,000d", "")),
            modality=str(of_series.get("0008,0060", "")),
            study_date=str(of_study.get("0008,0020", "")),
            study_time=str(of_study.get("0008,0030", "")),
        )


@dataclass(frozen=True)
class Stored:
    """An instance as it is stored. ``file``: Orthanc's identifier of the file, another one once it is overwritten."""

    file: str
    sop_instance: str
    metadata: dict[str, str]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Stored":
        """From a short row of `/tools/bulk-content` with metadata."""
        return cls(str(found["FileUuid"]), str(found["MainDicomTags"]["0008,0018"]), dict(found["Metadata"]))


@dataclass(frozen=True)
class StudyInstance:
    """An instance as one of its study. ``series``: Series Instance UID. ``modality``: of its series."""

    instance: str
    sop_instance: str
    series: str
    modality: str
    metadata: dict[str, str]

    @classmethod
    def of(cls, found: Mapping[str, Any], series: Mapping[str, Any]) -> "StudyInstance":
        """From short rows of `/tools/bulk-content`: the instance's with metadata, and that of its series."""
        above = series["MainDicomTags"]
        return cls(
            instance=str(found["ID"]),
            sop_instance=str(found["MainDicomTags"]["0008,0018"]),
            series=str(above["0020,000e"]),
            modality=str(above.get("0008,0060", "")),
            metadata=dict(found["Metadata"]),
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
    """Rows in order; `last` is the number to continue from, less than the one asked for if the database is new."""

    rows: list[Change]
    last: int
    done: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "ChangesPage":
        """From `/changes`."""
        rows = [Change(int(row["Seq"]), row["ChangeType"], row["ID"], row["ResourceType"]) for row in found["Changes"]]
        return cls(rows, int(found["Last"]), bool(found["Done"]))
