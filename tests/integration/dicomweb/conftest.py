"""One site for all tests of DICOMweb; those that break something have sites of their own."""

from collections.abc import Iterator

import pytest

from tests.dicomweb_site import DicomWebSite, dicomweb_site


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DicomWebSite]:
    """A site that is not emptied between tests."""
    with dicomweb_site(tmp_path_factory.mktemp("dicomweb")) as site:
        yield site


@pytest.fixture
def site(shared_site: DicomWebSite) -> DicomWebSite:
    """It, emptied."""
    shared_site.empty()
    return shared_site
