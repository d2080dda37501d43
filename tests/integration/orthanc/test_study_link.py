"""The links from Orthanc Explorer to a study's page at the labeller, and to the viewer."""

from pathlib import Path

import pytest
import requests

from tests.servers import Orthanc

ADDRESS = {"MSK_PAGES_URL": "https://labels.example/"}


@pytest.mark.parametrize(
    ("environment", "linked", "logged"),
    [
        (ADDRESS, ["msk-study"], None),
        (ADDRESS | {"MSK_WITH_VIEWER": "yes"}, ["msk-study", "msk-viewer"], None),
        (ADDRESS | {"MSK_WITH_VIEWER": "no"}, ["msk-study"], None),
        ({"MSK_WITH_VIEWER": "yes"}, [], None),
        (
            {"MSK_PAGES_URL": "javascript:alert(1)"},
            [],
            "study-link.off reason=MSK_PAGES_URL is not an http or https address",
        ),
    ],
)
def test_orthanc_explorer_links_studies_where_an_address_says_where_to(
    environment: dict[str, str], linked: list[str], logged: str | None, tmp_path: Path
) -> None:
    server = Orthanc(tmp_path, environment=environment)
    server.start()
    try:
        login = (server.user, server.password)
        script = requests.get(f"{server.url}/plugins/explorer.js", auth=login, timeout=10).text
    finally:
        server.close()

    assert [each for each in ("msk-study", "msk-viewer") if each in script] == linked
    assert ('"https://labels.example/studies/"' in script) == bool(linked)
    assert logged is None or logged in server.log.read_text()
