"""The services of a local stack keep their data in any folder that a person names."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import until
from workers.stack.data_directory import DataDirectory
from workers.stack.ports import choose_ports
from workers.stack.services import services
from workers.supervision.service import Service


@contextmanager
def running(service: Service, folder: Path) -> Iterator[None]:
    with subprocess.Popen(service.command, env=service.environment, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            until(service.ready)
            yield
        finally:
            process.terminate()


def test_broker_and_orthanc_take_a_folder_whose_name_has_quotes_and_patterns(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / 'a"b [c]* \\n ${HOME} \N{LATIN SMALL LETTER A WITH DIAERESIS}')
    data.prepare()
    broker, orthanc, *_ = services(data, choose_ports({}, {}), data.secrets(), workers=1, device="cpu")
    with running(broker, data.path), running(orthanc, data.path):
        pass
    assert list(data.broker.rglob("*.aof"))
    assert (data.orthanc / "index").exists()
