"""One site for all tests of pages over HTTP."""

from collections.abc import Iterator

import pytest

from tests.pages_site import PagesSite, pages_site

#: Images with truths: few hold-outs, and enough to submit a job.
PATIENTS = 30


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesSite]:
    with pages_site(tmp_path_factory.mktemp("pages"), PATIENTS) as site:
        site.follow()
        yield site
