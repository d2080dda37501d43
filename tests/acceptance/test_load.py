"""Many senders at once on a whole stack. MSK_TEST_INSTANCES sets how many instances they store."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mskmodel.dicom.writing import Header, write_dx
from tests.local_stack import LocalStack
from tests.waiting import until
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW

pytestmark = pytest.mark.stack

INSTANCES = int(os.environ.get("MSK_TEST_INSTANCES", "200"))


def make_radiographs(folder: Path, count: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (512, 416), dtype=np.uint16)
    for number in range(count):
        data = write_dx(np.roll(pixels, number), header=Header(identity=f"load-{number}"), bits=12)
        (folder / f"{number}.dcm").write_bytes(data)


@pytest.mark.timeout(900)
def test_what_four_senders_store_is_all_accounted_for(shared_stack: LocalStack, tmp_path: Path) -> None:
    make_radiographs(tmp_path, INSTANCES)
    before = json.loads(shared_stack.msk("audit", "--json").stdout)
    shared_stack.msk("send", str(tmp_path), "--state", str(shared_stack.state_file), "--senders", "4")

    def audit() -> dict[str, int]:
        return dict(json.loads(shared_stack.msk("audit", "--json").stdout))

    until(lambda: audit()["queued"] == 0, seconds=600)
    after = audit()
    assert after["unaccounted"] == 0
    assert sum(after[s] - before[s] for s in (LABELLED, NEEDS_REVIEW)) == INSTANCES
