"""Kill anything, under load: every instance that Orthanc acknowledged ends with an outcome, and no human helps.

MSK_TEST_OUTAGE_SECONDS sets how long a part stays away.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from mskmodel.dicom_writing import Header, write_dx
from tests.waiting import until

pytestmark = pytest.mark.stack

OUTAGE_SECONDS = float(os.environ.get("MSK_TEST_OUTAGE_SECONDS", "8"))
#: Seconds after the end of an outage within which everything must be accounted for.
RECOVERY_SECONDS = 120.0


class Stack:
    """A local stack of its own, handled by the commands that a person would use."""

    def __init__(self, folder: Path) -> None:
        self.data, self.state_file = folder / "data", folder / "state.json"

    def msk(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workers.cli", *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, env=self.environment)

    def up(self) -> None:
        self.msk("up", "--data", str(self.data), "--state", str(self.state_file), "--detach")

    def down(self) -> None:
        self.msk("down", "--data", str(self.data))

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())

    @property
    def environment(self) -> dict[str, str]:
        if not self.state_file.exists():
            return dict(os.environ)
        state = self.state
        return os.environ | {
            "MSK_ORTHANC_URL": state["orthanc"]["url"],
            "MSK_ORTHANC_USER": state["orthanc"]["user"],
            "MSK_ORTHANC_PASSWORD": state["orthanc"]["password"],
            "MSK_BROKER_URL": state["broker"]["url"],
        }

    def pid(self, name: str) -> int:
        return next(process["pid"] for process in self.state["processes"] if process["name"] == name)

    def children(self, name: str) -> list[int]:
        listing = Path(f"/proc/{self.pid(name)}/task/{self.pid(name)}/children").read_text()
        return [int(pid) for pid in listing.split()]

    def audit(self) -> dict[str, Any]:
        return json.loads(self.msk("audit", "--json", check=False).stdout)

    def store(self, data: bytes) -> str:
        orthanc = self.state["orthanc"]
        credentials = (orthanc["user"], orthanc["password"])
        answer = requests.post(f"{orthanc['url']}/instances", data, auth=credentials, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def metadata(self, instance_id: str) -> dict[str, str]:
        orthanc = self.state["orthanc"]
        url = f"{orthanc['url']}/instances/{instance_id}/metadata?expand"
        answer = requests.get(url, auth=(orthanc["user"], orthanc["password"]), timeout=30)
        answer.raise_for_status()
        return answer.json()


class Modality:
    """Stores small radiographs one after the other until told to stop; remembers what was acknowledged."""

    _numbers = itertools.count()

    def __init__(self, stack: Stack) -> None:
        self.acknowledged: list[str] = []
        self._stack, self._stopping = stack, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 4096, (256, 320), dtype=np.uint16)
        while not self._stopping.wait(0.05):
            data = write_dx(pixels, header=Header(identity=f"modality-{next(self._numbers)}"), bits=12)
            with contextlib.suppress(requests.RequestException, FileNotFoundError):  # a modality tries the next one
                self.acknowledged.append(self._stack.store(data))

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
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


def expect_everything_accounted_for(stack: Stack, modality: Modality) -> None:
    """Every acknowledged instance has an outcome, and the audit agrees, within the time to recover."""

    def settled() -> bool:
        audit = stack.audit()
        return bool(audit["queued"] == audit["unaccounted"] == 0)

    until(settled, seconds=RECOVERY_SECONDS)
    assert modality.acknowledged
    statuses = [json.loads(stack.metadata(i)["MskPrediction"])["status"] for i in modality.acknowledged]
    assert set(statuses) <= {"labelled", "needs-review"}


def keep_dead(pid: Callable[[], int], seconds: float) -> None:
    """Kill a process, and whatever is started in its place, for that long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid(), signal.SIGKILL)
        time.sleep(0.1)


@pytest.mark.parametrize("name", ["gateway", "broker"])
def test_a_part_that_is_down_for_a_while_loses_nothing(stack: Stack, name: str) -> None:
    with Modality(stack) as modality:
        modality.has_stored(10)
        keep_dead(lambda: stack.pid(name), OUTAGE_SECONDS)
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


@pytest.mark.parametrize("name", ["gateway", "broker"])
def test_a_part_that_hangs_for_a_while_loses_nothing(stack: Stack, name: str) -> None:
    with Modality(stack) as modality:
        modality.has_stored(10)
        pid = stack.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            modality.has_stored(40)
        finally:
            os.kill(pid, signal.SIGCONT)
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


def test_workers_killed_in_the_middle_of_a_chunk_lose_nothing(stack: Stack) -> None:
    with Modality(stack) as modality:
        for _ in range(3):
            modality.has_stored(10)
            for child in stack.children("label-worker"):
                os.kill(child, signal.SIGKILL)
        modality.has_stored(10)
        os.kill(stack.pid("label-worker"), signal.SIGKILL)
        modality.has_stored(10)
    expect_everything_accounted_for(stack, modality)


def test_a_power_cut_loses_nothing(stack: Stack) -> None:
    with Modality(stack) as modality:
        modality.has_stored(20)
        for process in stack.state["processes"]:
            os.kill(process["pid"], signal.SIGKILL)
        supervisor = int((stack.data / "lock").read_text())
        os.kill(supervisor, signal.SIGKILL)
    stack.up()
    expect_everything_accounted_for(stack, modality)
