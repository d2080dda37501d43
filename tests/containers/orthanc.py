"""Orthanc as its neighbours see it: a DICOM port and a REST interface."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import requests
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom.ae import ApplicationEntity

from mskmodel.labels import BY_KEY


class Orthanc:
    """One server, asked without any code of the product."""

    def __init__(self, http: int, dicom: int, user: str, password: str) -> None:
        self.url, self.dicom = f"http://127.0.0.1:{http}", dicom
        self._session = requests.Session()
        self._session.auth = (user, password)
        self._session.headers["Accept-Encoding"] = "identity"

    def get(self, path: str) -> requests.Response:
        """The answer to a GET."""
        return self._session.get(self.url + path, timeout=10)

    def post(self, path: str, body: Any) -> None:
        """A POST that must succeed."""
        answer = self._session.post(self.url + path, json=body, timeout=60)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"

    def upload(self, file: bytes) -> None:
        """Store a file, which must succeed."""
        assert self._session.post(f"{self.url}/instances", data=file, timeout=60).status_code == 200

    def delete(self, path: str) -> None:
        """A DELETE that must succeed."""
        assert self._session.delete(self.url + path, timeout=60).status_code == 200

    def json(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"
        return answer.json()

    def store(self, datasets: Iterable[Dataset]) -> int:
        """C-STORE each in an association of its own kind; how many were accepted."""
        accepted = 0
        for ds in datasets:
            entity = ApplicationEntity("MODALITY")
            entity.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
            association = entity.associate("127.0.0.1", self.dicom, ae_title="MSK")
            assert association.is_established, "Orthanc took no association"
            accepted += association.send_c_store(ds).Status == 0
            association.release()
        return accepted

    def instances(self) -> list[str]:
        """Orthanc's identifiers of all instances."""
        found: list[str] = self.json("/instances")
        return found

    def metadata(self, instance: str) -> dict[str, str]:
        """All metadata of an instance."""
        found: dict[str, str] = self.json(f"/instances/{instance}/metadata?expand")
        return found

    def labels(self, instance: str) -> set[str]:
        """Orthanc's labels of an instance."""
        return set(self.json(f"/instances/{instance}/labels"))

    def without_prediction(self) -> list[str]:
        """Instances that the labeller has not written to."""
        return [instance for instance in self.instances() if "MskPrediction" not in self.metadata(instance)]

    def body_part(self, instance: str) -> str:
        """What the header claims; only to tell instances apart in the output."""
        found: dict[str, str] = self.json(f"/instances/{instance}/simplified-tags")
        return f"{found.get('BodyPartExamined', '')} {found.get('ViewPosition', '')}".strip()


def read(files: Iterable[Path]) -> list[Dataset]:
    """DICOM files, whole."""
    return [dcmread(file) for file in files]


def copies(originals: Iterable[Dataset], times: int) -> Iterator[Dataset]:
    """The same radiographs as new instances."""
    for ds in originals:
        for _ in range(times):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            yield ds


def expected_labels(status: str, key: str | None) -> set[str]:
    """The labels that an instance with that outcome carries."""
    if status == "labelled":
        assert key in BY_KEY, f"labelled as {key}"
        return {f"msk-{key.replace('_', '-')}"}
    return {f"msk-{status}"}
