"""`msk label`."""

import json
from pathlib import Path

from mskmodel.registry import SHIPPED, read_manifest
from tests.unit.commands.typed import msk


def test_label_answers_for_each_file_and_reports_the_one_that_it_cannot_read(pictures: Path) -> None:
    files = [str(pictures / name) for name in ("a.png", "c.png", "missing.dcm")]

    result = msk("label", *files, "--device", "cpu", "--json")

    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["model"] == read_manifest(SHIPPED)["version"]
    good, broken, missing = answer["files"]
    assert len(good["top5"]) == 5
    assert good["error"] is None
    assert broken["error"]
    assert missing["error"]
    table = msk("label", files[0])
    assert table.exit_code == 0
    assert "a.png" in table.stdout.replace("\n", "").replace("│", "").replace(" ", "")
