"""A site whose results leave it: a real Orthanc and a real Valkey; outcomes are written as a label worker would."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import numpy as np
import redis
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from mskmodel.dicom.writing import DX_PRESENTATION, Header, radiograph_dataset
from mskmodel.labels import BY_KEY
from tests.servers import Orthanc
from workers.ledger import Ledger
from workers.metadata.outcome import LABELLED, PREDICTION, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.pacs import OrthancClient
from workers.results.findings import report_series

MD5 = "0" * 32


def unchanged(ds: Dataset) -> None:
    """The header as it is."""


@dataclass(frozen=True)
class ResultsSite:
    """Servers, and a study."""

    server: Orthanc
    broker_url: str
    orthanc: OrthancClient
    ledger: Ledger
    study: str = "2.25.1"
    broker: Any = field(default=None, compare=False)

    @classmethod
    def of(cls, server: Orthanc, broker_url: str) -> "ResultsSite":
        orthanc = OrthancClient(server.url, server.user, server.password)
        return cls(
            server,
            broker_url,
            orthanc,
            Ledger(broker_url),
            broker=redis.Redis.from_url(broker_url, decode_responses=True),
        )

    def of_study(self, study: str) -> "ResultsSite":
        return replace(self, study=study)

    @property
    def environment(self) -> dict[str, str]:
        return self.server.access | {"MSK_BROKER_URL": self.broker_url}

    def store(
        self,
        name: str,
        change: Callable[[Dataset], None] = unchanged,
        *,
        patient: str = "P-1",
        sop_class: str = DX_PRESENTATION,
        transfer_syntax: str = uid.ExplicitVRLittleEndian,
    ) -> str:
        """Store a radiograph of the study; its header says a right knee from the front."""
        header = Header(
            identity=f"{self.study} {name}",
            label=BY_KEY["knee_ap"],
            laterality="R",
            patient_id=patient,
            patient_name="Quincy^Ada",
            date="20240102",
        )
        pixels = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24)
        ds = radiograph_dataset(pixels, header=header, bits=12, sop_class=sop_class, transfer_syntax=transfer_syntax)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = self.study, f"{self.study}.1"
        change(ds)
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        return self.orthanc.upload(buffer.getvalue())

    def empty(self) -> None:
        """Delete all that Orthanc holds."""
        while found := self.orthanc.instance_ids(0, 1000):
            for each in found:
                self.orthanc.delete(each)

    def answer(self, instance: str, label: str | None = "knee_ap", status: str = LABELLED, **fields: Any) -> str:
        """Write an outcome, of a label worker; the instance."""
        values = {
            "confidence": 0.9731,
            "model": "v1",
            "evidence": {"header": {"knee_ap": 1.0}},
            "claims": {"claims": [], "side": "R", "group": ""},
        }
        outcome = Outcome(status, self.orthanc.file_identity(instance), 1, label=label, **(values | fields))
        self.orthanc.put_metadata(instance, PREDICTION, outcome.to_json())
        return instance

    def say(self, instance: str, label: str, side: str = "") -> None:
        """Write a truth."""
        said = Truth(Statement(label, "anna", "2026-01-02T03:04:05+00:00", side=side))
        self.orthanc.put_metadata(instance, TRUTH, said.to_json())

    @property
    def study_id(self) -> str:
        (found,) = self.orthanc.studies_with(self.study)
        return found

    def reports(self) -> dict[str, bytes]:
        """The reports in the study, by Orthanc's identifier."""
        ours = [
            each for each in self.orthanc.study_instances(self.study_id) if each.series == report_series(self.study)
        ]
        return {each.instance: self.orthanc.file(each.instance, 2**24) for each in ours}

    def report(self) -> bytes:
        """The one report."""
        (data,) = self.reports().values()
        return data

    def files(self) -> list[bytes]:
        """All files of the study."""
        found = self.orthanc.study_instances(self.study_id)
        return [self.orthanc.file(each.instance, 2**24) for each in found]
