"""The supervisor, and the processes that it runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.waiting import until
from workers.supervision import supervisor
from workers.supervision.log_view import LogView
from workers.supervision.service import Service, ServiceError
from workers.supervision.supervisor import Supervisor


def service(name: str, code: str, ready: Callable[[], bool] = lambda: True, **fields: object) -> Service:
    return Service(name, (sys.executable, "-c", code), dict(os.environ), ready, **fields)  # type: ignore[arg-type]


SLEEP = "import time; time.sleep(600)"


class Watched:
    """A supervisor whose messages are recorded; it ends its services at the end of the `with` statement."""

    def __init__(self, folder: Path, *services: Service) -> None:
        self.said: list[tuple[str, str]] = []
        self.pids: list[dict[str, int]] = []
        self._logs = LogView(folder, lambda *_: None)
        self.supervisor = Supervisor(folder, services, self._logs, lambda *said: self.said.append(said), self._changed)

    def _changed(self, pids: dict[str, int]) -> None:
        self.pids.append(pids)
        if len(self.pids) > 3:
            signal.raise_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._logs:
            self.supervisor.stop()


def test_a_service_that_is_never_ready_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    stuck = service("stuck", f"print('I wait', flush=True); {SLEEP}", lambda: False, ready_within=0.5)
    with (
        Watched(tmp_path, stuck) as watched,
        pytest.raises(ServiceError, match=r"stuck was not ready within 0.5 s.*\nI wait"),
    ):
        watched.supervisor.start()


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Handlers that a test may replace."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals")
def test_a_process_that_keeps_dying_is_started_ever_less_often_until_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.1)
    with Watched(tmp_path, service("frail", "raise SystemExit(3)")) as watched:
        watched.supervisor.install_signals()
        watched.supervisor.start()
        watched.supervisor.run()
    deaths = [what for _, what in watched.said if "starts again" in what]
    assert deaths == [f"ended with status 3; starts again in {pause} s" for pause in ("0.1", "0.2", "0.4")]
    assert len({pids["frail"] for pids in watched.pids}) == 4


def test_a_process_that_does_not_end_by_itself_is_killed_with_its_children(tmp_path: Path) -> None:
    deaf = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(subprocess.Popen(('sleep', '600')).pid, flush=True); time.sleep(600)"
    )
    with Watched(tmp_path, service("deaf", deaf, stop=((signal.SIGTERM, 0.3),))) as watched:
        watched.supervisor.start()
        log = tmp_path / "deaf.log"
        until(lambda: log.read_text().strip())
        child = int(log.read_text())
    assert ("deaf", "does not end by itself, and is killed") in watched.said
    until(lambda: not is_alive(child))


def test_services_end_in_their_order(tmp_path: Path) -> None:
    with Watched(tmp_path, service("keeper", SLEEP, stops=1), service("worker", SLEEP, stops=0)) as watched:
        watched.supervisor.start()
    assert [name for name, what in watched.said if what.startswith("ended")] == ["worker", "keeper"]


def test_a_process_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    parent_code = """
import os, sys
from pathlib import Path
from workers.supervision.process import Process
from workers.supervision.service import Service

folder = Path(sys.argv[1])
service = Service("child", ("sleep", "600"), dict(os.environ), bool)
print(Process(service, folder / "child.log", folder).pid, flush=True)
sys.stdin.read()
"""
    command = (sys.executable, "-c", parent_code, str(tmp_path))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")  # it has passed through `setpriv`
        parent.kill()
    until(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()
