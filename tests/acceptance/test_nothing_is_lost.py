"""Kill anything, under load: every instance that Orthanc acknowledged gets an outcome, without human help.

MSK_TEST_OUTAGE_SECONDS sets how long a part is down.
"""

import contextlib
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from mskmodel.dicom.writing import Header, write_dx
from tests.local_stack import LocalStack
from tests.waiting import until
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, Outcome

pytestmark = pytest.mark.stack

OUTAGE_SECONDS = float(os.environ.get("MSK_TEST_OUTAGE_SECONDS", "8"))
#: Seconds after the end of an outage within which everything must be accounted for.
RECOVERY_SECONDS = 120.0


class Modality:
    """Stores small radiographs one after the other until told to stop; remembers what was acknowledged."""

    _numbers = itertools.count()

    def __init__(self, stack: LocalStack) -> None:
        self.acknowledged: list[str] = []
        self._stack, self._stopping = stack, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 4096, (256, 320), dtype=np.uint16)
        while not self._stopping.wait(0.05):
            data = write_dx(pixels, header=Header(identity=f"modality-{next(self._numbers)}"), bits=12)
            with contextlib.suppress(requests.RequestException, FileNotFoundError):  # a modality tries the next one
                self.acknowledged.append(self._store(data))

    def _store(self, data: bytes) -> str:
        orthanc = self._stack.state["orthanc"]
        credentials = (orthanc["user"], orthanc["password"])
        answer = requests.post(f"{orthanc['url']}/instances", data, auth=credentials, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def __enter__(self) -> "Modality":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def has_stored(self, more: int) -> None:
        """Wait until that many more instances were acknowledged."""
        goal = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= goal, seconds=60)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack.running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def expect_everything_accounted_for(stack: LocalStack, modality: Modality) -> None:
    """Every acknowledged instance has an outcome, and the audit agrees, within the time to recover."""

    def settled() -> bool:
        report = stack.msk("audit", "--json", check=False).stdout
        if not report:  # a part of the stack is on its way back
            return False
        audit = json.loads(report)
        return bool(audit["queued"] == audit["unaccounted"] == 0)

    until(settled, seconds=RECOVERY_SECONDS)
    assert modality.acknowledged
    outcomes = [Outcome.of(metadata) for metadata in stack.orthanc.metadata_of(modality.acknowledged).values()]
    assert len(outcomes) == len(modality.acknowledged)
    assert {outcome and outcome.status for outcome in outcomes} <= {LABELLED, NEEDS_REVIEW}


def keep_dead(stack: LocalStack, name: str, seconds: float) -> None:
    """Kill a service, and whatever is started in its place, for that long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if pid := stack.pid(name):
            kill(pid)
        time.sleep(0.1)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children(stack: LocalStack, name: str) -> list[int]:
    pid = running(stack, name)
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has just died, and is on its way back
        return []


def running(stack: LocalStack, name: str) -> int:
    """Process id of a service, once it has one."""
    until(lambda: stack.pid(name))
    pid = stack.pid(name)
    assert pid
    return pid


@pytest.mark.parametrize("name", ["gateway", "broker"])
def test_a_part_that_is_down_for_a_while_loses_nothing(stack: LocalStack, name: str) -> None:
    with Modality(stack) as modality:
        modality.has_stored(10)
        keep_dead(stack, name, OUTAGE_SECONDS)
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


@pytest.mark.parametrize("name", ["gateway", "broker"])
def test_a_part_that_hangs_for_a_while_loses_nothing(stack: LocalStack, name: str) -> None:
    with Modality(stack) as modality:
        modality.has_stored(10)
        pid = running(stack, name)
        os.kill(pid, signal.SIGSTOP)
        try:
            modality.has_stored(40)
        finally:
            os.kill(pid, signal.SIGCONT)
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


def test_workers_killed_in_the_middle_of_a_chunk_lose_nothing(stack: LocalStack) -> None:
    with Modality(stack) as modality:
        for _ in range(3):
            modality.has_stored(10)
            for child in children(stack, "label-worker"):
                kill(child)
        modality.has_stored(10)
        kill(running(stack, "label-worker"))
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


def test_a_power_cut_loses_nothing(stack: LocalStack) -> None:
    with Modality(stack) as modality:
        modality.has_stored(20)
        for pid in (stack.supervisor, *stack.processes):
            kill(pid)
    stack.up()
    expect_everything_accounted_for(stack, modality)
