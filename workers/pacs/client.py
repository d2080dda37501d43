"""The one Orthanc client: everything that the labeller reads from Orthanc and writes to it, on 1.10 and newer.

Every method may raise a subclass of `OrthancError`; a write that returns has been stored. Instances are
named by their Orthanc identifier. Nothing here logs or quotes what is in a DICOM header.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from hashlib import md5
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
import urllib3

from workers.pacs.answers import Above, ChangesPage, Parents, Statistics, Stored, StudyInstance, System
from workers.pacs.configuration import Configuration, read_configuration
from workers.pacs.http import (
    OrthancConflict,
    OrthancError,
    OrthancHttp,
    OrthancNotFound,
    OrthancRefused,
    OrthancUnavailable,
)
from workers.sentences import network_reason
from workers.tls import Trust

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["OrthancClient", "TooLarge"]

#: Instances asked for at a time in `metadata_of`.
BULK = 1000
#: SOP Instance UIDs asked for at a time in `lookup_all`; a site may limit how many instances a query finds.
UIDS = 100
#: Study Date, as Orthanc's short answers name it.
STUDY_DATE = "0008,0020"
#: Patient Identity Removed, as it is named in a path.
IDENTITY_REMOVED = "0012-0062"
#: Issuer of Patient ID, likewise.
ISSUER = "0010-0021"
#: An ETag that no stored value has: Orthanc writes under it only where there is no value yet.
ABSENT = '"0-00000000000000000000000000000000"'

_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_MD5 = re.compile(r"[0-9a-f]{32}")


class TooLarge(OrthancError):
    """The file is larger than the caller accepts. The message is a reason for people to read."""


class OrthancClient:
    """Thread-safe; one for each process. See `OrthancHttp` for the arguments; the timeouts are in seconds."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 60,
        trust: Trust = Trust(),
    ) -> None:
        self._http = OrthancHttp(url, user, password, (connect_timeout, read_timeout), trust)
        self._system: System | None = None
        self._system_lock = Lock()

    @classmethod
    def of(cls, settings: "Settings", *, connect_timeout: float = 5, read_timeout: float = 60) -> "OrthancClient":
        """The client of the Orthanc that the settings name."""
        return cls(
            settings.orthanc_url,
            settings.orthanc_user,
            settings.orthanc_password,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            trust=settings.trust,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._http.address})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- the server ----------------------------------------------------------------------------------------

    def system(self) -> System:
        """What this Orthanc is and can do, asked once."""
        with self._system_lock:
            if self._system is None:
                found = self._http.json("GET", "system")
                with _shape_of("system"):
                    self._system = System.of(found)
            return self._system

    def configuration(self, names: AbstractSet[str]) -> Configuration:
        """How it is configured, as far as that can be seen. ``names``: of metadata that should be registered."""
        return read_configuration(self._http, frozenset(names))

    def statistics(self) -> Statistics:
        """How much Orthanc holds."""
        found = self._http.json("GET", "statistics")
        with _shape_of("statistics"):
            return Statistics.of(found)

    def changes(self, since: int, limit: int = 1000) -> ChangesPage:
        """What happened after number `since`, oldest first."""
        found = self._http.json("GET", f"changes?since={since:d}&limit={limit:d}")
        with _shape_of("changes"):
            return ChangesPage.of(found)

    def last_change(self) -> int:
        """The number of what happened last; 0 before anything has."""
        found = self._http.json("GET", "changes?last")
        with _shape_of("changes"):
            return ChangesPage.of(found).last

    # -- instances -----------------------------------------------------------------------------------------

    def instance_ids(self, since: int, limit: int) -> list[str]:
        """At most `limit` instances, from position `since` in Orthanc's own order; [] after the last."""
        found = self._http.json("GET", f"instances?since={since:d}&limit={limit:d}")
        with _shape_of("instances"):
            return [str(instance_id) for instance_id in found]

    def lookup(self, sop_instance_uid: str) -> str | None:
        """The instance with this SOP Instance UID; None when there is none."""
        return next(iter(self._lookup(sop_instance_uid, "Instance")), None)

    def lookup_study(self, study_instance_uid: str) -> str | None:
        """The study with this Study Instance UID; None when there is none."""
        return next(iter(self._lookup(study_instance_uid, "Study")), None)

    def studies_with(self, study_instance_uid: str) -> list[str]:
        """The studies with this Study Instance UID: several where those of different patients share one."""
        return self._lookup(study_instance_uid, "Study")

    def _lookup(self, uid: str, level: str) -> list[str]:
        found = self._http.json("POST", "tools/lookup", data=uid.encode(), repeatable=True)
        with _shape_of("tools/lookup"):
            return [str(row["ID"]) for row in found if row["Type"] == level]

    def lookup_all(self, sop_instance_uids: Sequence[str]) -> dict[str, list[str]]:
        """The instances with each of these SOP Instance UIDs: several where files of different patients share one."""
        result: dict[str, list[str]] = {}
        for first in range(0, len(sop_instance_uids), UIDS):
            some = sop_instance_uids[first : first + UIDS]
            query = {"Level": "Instance", "Query": {"SOPInstanceUID": "\\".join(some)}, "Expand": True}
            found = self._http.json("POST", "tools/find", json=query, repeatable=True)
            with _shape_of("tools/find"):
                for row in found:
                    result.setdefault(str(row["MainDicomTags"]["SOPInstanceUID"]), []).append(str(row["ID"]))
        return result

    def has(self, instance_id: str) -> bool:
        """Whether Orthanc has this instance."""
        try:
            self._http.request("GET", _path(instance_id))
        except OrthancNotFound:
            self.statistics()  # raises where a proxy says 404 to everything, since Orthanc is not behind it
            return False
        return True

    def file(self, instance_id: str, max_bytes: int) -> bytes:
        """The DICOM file. Raises TooLarge before it has read more than one byte over `max_bytes`."""
        path = f"{_path(instance_id)}/file"
        with self._http.request("GET", path, stream=True) as answer:
            with _shape_of(path):
                announced = int(answer.headers.get("Content-Length", 0))
            if announced > max_bytes:
                raise TooLarge(_too_large(max_bytes))
            pieces, left = [], max_bytes + 1
            try:
                # Mostly one read, in half the time that requests' own reading takes. The last read, which
                # finds nothing more, also notices an answer that was cut off.
                while left and (piece := answer.raw.read(left, decode_content=True)):
                    pieces.append(piece)
                    left -= len(piece)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise OrthancUnavailable(f"GET {path}: {network_reason(error) or type(error).__name__}") from None
        if not left:
            raise TooLarge(_too_large(max_bytes))
        return b"".join(pieces)

    def parents_of(self, instance_ids: Sequence[str]) -> dict[str, Parents]:
        """The parents of instances; instances that do not exist are left out."""
        series = self._parents("Instance", "Series", instance_ids)
        studies = self._parents("Series", "Study", series.values())
        patients = self._parents("Study", "Patient", studies.values())
        found = {}
        for instance_id, series_id in series.items():
            with suppress(KeyError):  # deleted in between
                study_id = studies[series_id]
                found[instance_id] = Parents(series_id, study_id, patients[study_id])
        return found

    def above(self, instance_ids: Sequence[str]) -> dict[str, Above]:
        """What stands above each instance; instances that do not exist are left out."""
        instances = self._rows("Instance", instance_ids)
        with _shape_of("tools/bulk-content"):
            series = self._rows("Series", (str(row["ParentSeries"]) for row in instances.values()))
            studies = self._rows("Study", (str(row["ParentStudy"]) for row in series.values()))
            found = {}
            for instance_id, row in instances.items():
                one = series.get(row["ParentSeries"])
                if one and one["ParentStudy"] in studies:  # else it was deleted in between
                    found[instance_id] = Above.of(row, one, studies[one["ParentStudy"]])
            return found

    def issuer_of_patient_id(self, instance_id: str) -> str:
        """Who issued the patient's number, as the header says; "" where it does not.

        Raises OrthancNotFound: there is no such instance.
        """
        try:
            answer = self._http.request("GET", f"{_path(instance_id)}/content/{ISSUER}")
        except OrthancNotFound:
            self._http.request("GET", _path(instance_id))  # raises if it is not the element that is missing
            return ""
        return answer.content.decode("utf-8", "replace").strip(" \0")

    def modality(self, instance_id: str) -> str:
        """The Modality of its series, as that of the first instance that came; "" where it has none."""
        path = f"{_path(instance_id)}/series"
        found = self._http.json("GET", path)
        with _shape_of(path):
            return str(found["MainDicomTags"].get("Modality", ""))

    def study_dates(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """The Study Date of each instance, "" where it has none; instances that do not exist are left out."""
        series = self._parents("Instance", "Series", instance_ids)
        studies = self._parents("Series", "Study", series.values())
        tags = self._bulk("Study", studies.values(), "MainDicomTags")
        with _shape_of("tools/bulk-content"):
            dates = {study_id: str(found.get(STUDY_DATE, "")) for study_id, found in tags.items()}
        # What was deleted in between is left out.
        return {instance: dates[studies[one]] for instance, one in series.items() if studies.get(one) in dates}

    def main_tags(self, identifiers: Sequence[str]) -> dict[str, dict[str, str]]:
        """What Orthanc's database keeps of the header, by tag, of studies and series alike, in one request.

        Tags are named as in short answers, such as `STUDY_DATE`. What does not exist is left out.
        """
        if not identifiers:
            return {}
        asked = {"Resources": list(identifiers), "Short": True}
        found = self._http.json("POST", "tools/bulk-content", json=asked, repeatable=True)
        with _shape_of("tools/bulk-content"):
            return {str(row["ID"]): {tag: str(text) for tag, text in row["MainDicomTags"].items()} for row in found}

    def _parents(self, level: str, above: str, identifiers: Iterable[str]) -> dict[str, str]:
        return {name: str(parent) for name, parent in self._bulk(level, identifiers, f"Parent{above}").items()}

    def _bulk(self, level: str, identifiers: Iterable[str], wanted: str) -> dict[str, Any]:
        """One field of the description of each of these resources."""
        with _shape_of("tools/bulk-content"):
            return {name: row[wanted] for name, row in self._rows(level, identifiers).items()}

    def _rows(self, level: str, identifiers: Iterable[str]) -> dict[str, Any]:
        """The short description of each of these resources; those that do not exist are left out."""
        distinct = list(dict.fromkeys(identifiers))
        result: dict[str, Any] = {}
        for first in range(0, len(distinct), BULK):
            asked = {"Resources": distinct[first : first + BULK], "Level": level, "Short": True}
            found = self._http.json("POST", "tools/bulk-content", json=asked, repeatable=True)
            with _shape_of("tools/bulk-content"):
                result.update((str(row["ID"]), row) for row in found)
        return result

    def anonymized(self, instance_id: str, replace: Mapping[str, str], remove: Sequence[str]) -> bytes:
        """The DICOM file, anonymized by Orthanc (PS3.15, basic profile, 2017c), which keeps no copy of it.

        Args:
            replace: values by keyword or tag, instead of Orthanc's random ones.
            remove: further tags to remove.
        """
        wanted = {"Replace": dict(replace), "Remove": list(remove), "Force": True, "DicomVersion": "2017c"}
        path = f"{_path(instance_id)}/anonymize"
        return bytes(self._http.request("POST", path, json=wanted, repeatable=True).content)

    def upload(self, data: bytes) -> str:
        """Store one DICOM file; returns its instance, even if Orthanc had it already. Never retried by itself."""
        found = self._http.json("POST", "instances", data=data, headers={"Content-Type": "application/dicom"})
        with _shape_of("instances"):
            return str(found["ID"])

    def destinations(self, kind: str) -> list[str]:
        """The names of the `modalities` or `peers` that Orthanc can send to."""
        found = self._http.json("GET", kind)
        with _shape_of(kind):
            return [str(name) for name in found]

    def send_straight(self, kind: str, name: str, data: bytes) -> None:
        """Have Orthanc send one DICOM file, which it does not store, to one of its `destinations`."""
        path = f"{kind}/{quote(name, safe='')}/store-straight"
        self._http.request("POST", path, data=data, headers={"Content-Type": "application/dicom"}, repeatable=True)

    def delete(self, instance_id: str) -> None:
        """Delete an instance; no error if there is none."""
        path = _path(instance_id)
        with suppress(OrthancNotFound):
            self._http.request("DELETE", path)

    def file_identity(self, instance_id: str) -> str:
        """What changes with the DICOM file: the MD5 of the stored file, 32 hexadecimal digits.

        An Orthanc that keeps none ("StoreMD5ForAttachments": false) gives the file's UUID, which is another one even
        where the same file is stored again in its place.
        """
        path = f"{_path(instance_id)}/attachments/dicom/md5"
        try:
            found = self._http.request("GET", path).text
        except OrthancNotFound:
            return self._file_uuid(instance_id)
        if not _MD5.fullmatch(found):
            raise OrthancUnavailable(f"GET {path}: the answer is no MD5")
        return found

    def _file_uuid(self, instance_id: str) -> str:
        path = _path(instance_id)
        found = self._http.json("GET", path)
        with _shape_of(path):
            return str(found["FileUuid"])

    # -- metadata ------------------------------------------------------------------------------------------

    def metadata(self, instance_id: str) -> dict[str, str]:
        """All metadata of an instance, Orthanc's own ("ReceptionDate", "SopClassUid"...) and ours."""
        path = f"{_path(instance_id)}/metadata?expand"
        found = self._http.json("GET", path)
        with _shape_of(path):
            return {str(name): str(value) for name, value in found.items()}

    def metadata_of(self, instance_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """`metadata` of many at once; instances that do not exist are left out."""
        result: dict[str, dict[str, str]] = {}
        for first in range(0, len(instance_ids), BULK):
            result |= self._metadata({"Resources": list(instance_ids[first : first + BULK])})
        return result

    def stored(self, instance_ids: Sequence[str]) -> dict[str, Stored]:
        """How these instances are stored, with their metadata; instances that do not exist are left out."""
        result: dict[str, Stored] = {}
        for first in range(0, len(instance_ids), BULK):
            found = self._described({"Resources": list(instance_ids[first : first + BULK]), "Level": "Instance"})
            with _shape_of("tools/bulk-content"):
                result.update((row["ID"], Stored.of(row)) for row in found)
        return result

    def _metadata(self, resources: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """`metadata` of these resources; in their order, unless they name another level than their own."""
        found = self._described(resources)
        with _shape_of("tools/bulk-content"):
            return {row["ID"]: row["Metadata"] for row in found}

    def _described(self, resources: Mapping[str, Any]) -> Any:
        wanted = {**resources, "Metadata": True, "Short": True}
        return self._http.json("POST", "tools/bulk-content", json=wanted, repeatable=True)

    def is_deidentified(self, instance_id: str) -> bool:
        """Whether its header says that the patient's identity was removed."""
        try:
            answer = self._http.request("GET", f"{_path(instance_id)}/content/{IDENTITY_REMOVED}")
        except OrthancNotFound:  # the element
            return False
        return answer.content.strip(b" \0").upper() == b"YES"

    def study_of(self, instance_id: str) -> str:
        """The study that an instance belongs to."""
        path = f"{_path(instance_id)}/study"
        found = self._http.json("GET", path)
        with _shape_of(path):
            return str(found["ID"])

    def study_instance_uid(self, study_id: str) -> str:
        """The Study Instance UID of a study."""
        path = _path(study_id, "studies")
        found = self._http.json("GET", path)
        with _shape_of(path):
            return str(found["MainDicomTags"]["StudyInstanceUID"])

    def study_metadata(self, study_id: str, most: int) -> dict[str, dict[str, str]] | None:
        """`metadata` of all instances of a study; None if these are more than `most`."""
        path = f"{_path(study_id, 'studies')}/statistics"
        found = self._http.json("GET", path)
        with _shape_of(path):
            if int(found["CountInstances"]) > most:
                return None
        return self._metadata({"Resources": [study_id], "Level": "Instance"})

    def study_ids(self, since: int, limit: int) -> list[str]:
        """At most `limit` studies, from position `since` in Orthanc's own order; [] after the last."""
        found = self._http.json("GET", f"studies?since={since:d}&limit={limit:d}")
        with _shape_of("studies"):
            return [str(study_id) for study_id in found]

    def study_instances(self, study_id: str) -> list[StudyInstance]:
        """All instances of a study, with their metadata."""
        self._http.request("GET", _path(study_id, "studies"))  # raises if it is gone
        asked = {"Resources": [study_id], "Level": "Series", "Short": True}
        series = self._http.json("POST", "tools/bulk-content", json=asked, repeatable=True)
        rows = self._described({"Resources": [study_id], "Level": "Instance"})
        with _shape_of("tools/bulk-content"):
            above = {str(row["ID"]): row for row in series}
            # What came or went in between is left out.
            return [StudyInstance.of(row, above[row["ParentSeries"]]) for row in rows if row["ParentSeries"] in above]

    def metadata_page(self, since: int, limit: int) -> dict[str, dict[str, str]]:
        """The metadata of the instances of `instance_ids(since, limit)`, in that order; for reading all of them.

        From 1.12.5 on this is ten times as fast as asking for named instances.
        """
        if not self.system().has_extended_find:
            return self.metadata_of(self.instance_ids(since, limit))
        query = {"Level": "Instance", "Query": {}, "Since": since, "Limit": limit}
        wanted = {**query, "ResponseContent": ["Metadata"]}
        found = self._http.json("POST", "tools/find", json=wanted, repeatable=True)
        with _shape_of("tools/find"):
            return {row["ID"]: row["Metadata"] for row in found}

    def put_metadata(self, instance_id: str, name: str, value: str) -> None:
        """Write one value, whatever was there before.

        Raises:
            OrthancNotFound: no such instance.
            OrthancRefused: `name` is not registered in Orthanc's configuration.
        """
        path = _metadata_path(instance_id, name)
        with self._registered(instance_id, name):
            if not self.system().check_revisions:
                self._put(path, value, {})
            elif not any(self._put_over(path, value, self._etag(path)) for _ in range(3)):
                raise OrthancConflict(f"PUT {path}: somebody else keeps writing it")

    def replace_metadata(self, instance_id: str, name: str, old: str | None, new: str) -> None:
        """Write `new` only if the value is still `old` (None: absent), so that no concurrent write gets lost.

        Raises:
            OrthancConflict: the value is another one by now, and stays.
            OrthancNotFound, OrthancRefused: as `put_metadata`.
        """
        path = _metadata_path(instance_id, name)
        answer = self._get_or_none(path)
        if (None if answer is None else answer.text) != old:
            raise OrthancConflict(f"PUT {path}: it was changed in between")
        try:
            with self._registered(instance_id, name):
                self._put(path, new, {"If-Match": ABSENT if answer is None else answer.headers["ETag"]})
        except OrthancConflict:
            # The first of two tries may have succeeded although its answer got lost.
            if (now := self._get_or_none(path)) is None or now.text != new:
                raise

    def delete_metadata(self, instance_id: str, name: str) -> None:
        """Delete one value; no error if there is none."""
        path = _metadata_path(instance_id, name)
        headers = {"If-Match": self._etag(path)} if self.system().check_revisions else {}
        if headers.get("If-Match") != ABSENT:
            with suppress(OrthancNotFound):
                self._http.request("DELETE", path, headers=headers)

    @contextmanager
    def _registered(self, instance_id: str, name: str) -> Iterator[None]:
        """Find out why Orthanc answers 404: the instance is gone, or the name is not registered."""
        try:
            yield
        except OrthancNotFound:
            self._http.request("GET", _path(instance_id))  # raises again if it is gone
            reason = f"{name} is not among UserMetadata in Orthanc's configuration"
            raise OrthancRefused(f"PUT {_metadata_path(instance_id, name)}: {reason}") from None

    def _put(self, path: str, value: str, headers: dict[str, str]) -> None:
        """Write a value. If the answer's ETag does not carry the MD5 of what was sent, the value is read back."""
        data = value.encode()
        answer = self._http.request("PUT", path, data=data, headers=headers)
        if md5(data, usedforsecurity=False).hexdigest() in answer.headers.get("ETag", ""):
            return
        if self._http.request("GET", path).content != data:
            raise OrthancUnavailable(f"PUT {path}: not stored as it was sent")

    def _put_over(self, path: str, value: str, etag: str) -> bool:
        with suppress(OrthancConflict):
            self._put(path, value, {"If-Match": etag})
            return True
        return False

    def _etag(self, path: str) -> str:
        answer = self._get_or_none(path)
        return ABSENT if answer is None else answer.headers["ETag"]

    def _get_or_none(self, path: str) -> requests.Response | None:
        try:
            answer = self._http.request("GET", path)
        except OrthancNotFound:
            return None
        answer.encoding = "utf-8"
        if "ETag" not in answer.headers:
            raise OrthancUnavailable(f"GET {path}: no ETag")
        return answer

    # -- labels --------------------------------------------------------------------------------------------

    def set_labels(self, instance_id: str, wanted: AbstractSet[str], prefix: str = "msk-") -> None:
        """Make `wanted` the instance's labels that begin with `prefix`; others stay. Does nothing before 1.12."""
        if not self.system().has_labels:
            return
        path = f"{_path(instance_id)}/labels"
        found = self._http.json("GET", path)
        with _shape_of(path):
            present = {str(label) for label in found if label.startswith(prefix)}
        for label in wanted - present:
            self._http.request("PUT", f"{path}/{quote(label, safe='')}")
        for label in present - wanted:
            self._http.request("DELETE", f"{path}/{quote(label, safe='')}")


def _path(identifier: str, level: str = "instances") -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise OrthancNotFound("not an Orthanc identifier")
    return f"{level}/{identifier}"


def _metadata_path(instance_id: str, name: str) -> str:
    return f"{_path(instance_id)}/metadata/{quote(name, safe='')}"


def _too_large(max_bytes: int) -> str:
    return f"the file is larger than {max_bytes / 1_048_576:.0f} MB"


@contextmanager
def _shape_of(path: str) -> Iterator[None]:
    """Raise OrthancUnavailable for an answer of another shape than Orthanc's: a proxy may have sent it."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OrthancUnavailable(f"{path}: not an answer of Orthanc") from error
