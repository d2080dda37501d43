"""A site whose people say what instances show, shared by the files that test truths; others have sites of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Orthanc, running_orthanc
from tests.truth_site import TruthSite, empty_site


@pytest.fixture(scope="session")
def truth_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that tests of truths may fill, and kill if they start it again."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def site(truth_server: Orthanc, tmp_path: Path) -> TruthSite:
    """It, emptied, with a registry of its own."""
    return empty_site(truth_server, tmp_path / "models")
