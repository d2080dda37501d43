"""A site whose people say what instances show: a real Orthanc, a registry, and the commands that reach them."""

from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from mskmodel.dicom.writing import Header, write_dx
from tests import dicom_files
from tests.servers import Orthanc
from workers.cli import main
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient


@dataclass(frozen=True)
class TruthSite:
    """An Orthanc, a registry, and the commands that reach them."""

    server: Orthanc
    orthanc: OrthancClient
    models: Path

    @property
    def environment(self) -> dict[str, str]:
        return self.server.access | {
            "MSK_BROKER_URL": "redis://127.0.0.1:1/0",
            "MSK_MODELS": str(self.models),
        }

    def msk(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], env=self.environment)

    def store(self, identity: str, patient: str = "P-1234", rows: int = 96) -> str:
        header = Header(identity=identity, study=patient, patient_id=patient, patient_name=f"Quincy^{patient}")
        return self.orthanc.upload(write_dx(dicom_files.gradient(12, rows, 80), header=header, bits=12))

    def truth(self, instance_id: str) -> Truth | None:
        return Truth.of(self.orthanc.metadata(instance_id))

    def label(self, instance_id: str) -> str | None:
        return self.orthanc.metadata(instance_id).get("MskLabel")


def empty_site(server: Orthanc, models: Path) -> TruthSite:
    site = TruthSite(server, OrthancClient(server.url, server.user, server.password), models)
    for instance_id in site.orthanc.instance_ids(0, 1000):
        site.orthanc._http.request("DELETE", f"instances/{instance_id}")
    return site
