"""The link from Orthanc Explorer to a study's page at the labeller."""

from pathlib import Path

import pytest
import requests

from tests.servers import Orthanc


@pytest.mark.parametrize(
    ("address", "linked", "logged"),
    [
        ("https://labels.example/", '"https://labels.example/studies/"', None),
        (None, None, None),
        ("javascript:alert(1)", None, "study-link.off reason=MSK_PAGES_URL is not an http or https address"),
    ],
)
def test_orthanc_explorer_links_studies_where_an_address_says_where_to(
    address: str | None, linked: str | None, logged: str | None, tmp_path: Path
) -> None:
    server = Orthanc(tmp_path, environment={"MSK_PAGES_URL": address} if address else {})
    server.start()
    try:
        login = (server.user, server.password)
        script = requests.get(f"{server.url}/plugins/explorer.js", auth=login, timeout=10).text
    finally:
        server.close()

    assert ("msk-study" in script, linked is None or linked in script) == (linked is not None, True)
    assert logged is None or logged in server.log.read_text()
