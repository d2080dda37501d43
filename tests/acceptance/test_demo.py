"""`msk demo`: what a newcomer sees first."""

import json
import re
from pathlib import Path

import pytest

from mskmodel.labels import LABELS
from tests.local_stack import LocalStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_in_the_demo_every_class_and_the_real_radiographs_get_an_outcome(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    ran = stack.msk("demo", "--exit", "--data", str(stack.data), "--seed", "11", "--json")
    shown, told = ran.stderr, json.loads(ran.stdout)
    assert {row["outcome"]["status"] for row in told if row["truth"] is None} == {"needs-review"}, "of the chests"
    assert {row["truth"] for row in told if row["truth"]} == {*(label.key for label in LABELS), "lower_leg"}
    rows = [line for line in shown.splitlines() if re.match(r" [0-9a-f]{8} ", line)]
    for label in LABELS:
        assert any(f"phantom, {label.display} " in row for row in rows)
    real = [row for row in rows if " real, " in row]
    assert len(real) == 4
    assert f"{len(LABELS) + 12} of {len(LABELS) + 12} have an outcome" in shown
    assert "earlier demo" not in shown
    assert all(row["milliseconds"] is not None for row in told)
    assert re.search(r"Orthanc Explorer +http://127\.0\.0\.1:\d+", shown)
    assert len(re.findall(r"http://127\.0\.0\.1:\d+/studies/[0-9.]+$", shown, re.MULTILINE)) == 2
    assert stack.processes == []
