"""`msk jobs submit`: lists of instances that cannot be used are refused before anybody is asked."""

from pathlib import Path

import pytest

from tests.unit.commands.typed import msk


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04", "is a workbook"),
        ("Quincy\n".encode("utf-16"), "line 1: no instance"),
        (b"", "names no instance"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)

    result = msk("jobs", "submit", "--instances", str(tmp_path / "list.txt"))

    assert result.exit_code == 1
    assert said in result.output
    assert "Quincy" not in result.output
