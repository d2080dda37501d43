"""Logs of processes, followed and rotated."""

from pathlib import Path

import pytest

from workers.supervision import log_view
from workers.supervision.log_view import LogView


def append(log: Path, content: bytes) -> None:
    with log.open("ab") as file:
        file.write(content)


def test_logs_are_shown_by_line_and_name_and_start_afresh(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("of last time\n")
    lines: list[tuple[str, str]] = []
    with LogView(tmp_path, lambda name, line: lines.append((name, line))) as logs:
        a, b = logs.follow("a"), logs.follow("b")
        append(a, b"one\ntw")
        append(b, b"other\n")
        logs.pump()
        append(a, b"o\n\xff\n")
    assert lines == [("a", "one"), ("b", "other"), ("a", "two"), ("a", "\ufffd")]
    assert (tmp_path / "a.log.1").read_text() == "of last time\n"


def test_a_log_that_grows_is_rotated_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_view, "MAX_LOG_BYTES", 10)
    lines: list[str] = []
    with LogView(tmp_path, lambda _, line: lines.append(line)) as logs:
        for number in range(6):
            append(logs.follow("a"), b"line %d\n" % number)
            logs.pump()
    assert lines == [f"line {number}" for number in range(6)]
    assert (tmp_path / "a.log").stat().st_size < 20
    assert (tmp_path / "a.log.1").read_text() == "line 4\nline 5\n"
