"""One site for all tests of priors over HTTP."""

from collections.abc import Iterator

import pytest

from tests.pages_site import PagesSite, pages_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesSite]:
    with pages_site(tmp_path_factory.mktemp("priors"), 1) as site:
        site.follow()
        yield site
