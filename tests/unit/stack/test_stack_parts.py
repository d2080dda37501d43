"""The parts of the local stack, each alone."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.waiting import until
from workers.stack.data_directory import DataDirectory
from workers.stack.errors import StackError
from workers.stack.ports import choose_ports
from workers.stack.services import Service
from workers.supervision import log_view, supervisor
from workers.supervision.log_view import LogView
from workers.supervision.supervisor import Supervisor
from workers.terminal.stack_view import without_secrets


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    return data


def test_secrets_are_made_once_for_the_owner_alone_and_never_shown(data: DataDirectory) -> None:
    secrets = data.secrets()
    assert data.secrets() == secrets
    assert stat.S_IMODE(data.secrets_file.stat().st_mode) == 0o600
    assert secrets.webhook_secret.startswith("whsec_")
    assert len({secrets.orthanc_password, secrets.broker_password, secrets.webhook_secret}) == 3
    assert secrets.orthanc_password not in repr(secrets)


def test_a_damaged_file_is_named(data: DataDirectory) -> None:
    data.secrets_file.write_text("{")
    with pytest.raises(StackError, match=r"cannot read .*secrets\.json"):
        data.secrets()


def test_a_directory_belongs_to_one_process(data: DataDirectory) -> None:
    assert data.holder() is None
    with data.locked():
        assert data.holder() == os.getpid()
        with pytest.raises(StackError, match=f"already runs on .*process {os.getpid()}"), data.locked():
            pass
    assert data.holder() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot keep data in"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_free_ports_are_those_of_last_time_where_they_still_are_free() -> None:
    first = choose_ports({}, {})
    last = {"orthanc": first.orthanc, "dicom": first.dicom, "gateway": first.gateway, "broker": first.broker}
    with socket.create_server(("127.0.0.1", first.gateway)):
        second = choose_ports({}, last)
    assert (second.orthanc, second.dicom, second.broker) == (first.orthanc, first.dicom, first.broker)
    assert second.gateway != first.gateway


def test_a_port_given_twice_is_refused() -> None:
    port = choose_ports({}, {}).orthanc
    with pytest.raises(StackError, match=rf"port {port} \(--dicom-port\)"):
        choose_ports({"orthanc": port, "dicom": port}, {})


def test_a_state_without_secrets_has_none() -> None:
    state = {
        "orthanc": {"url": "u", "password": "p"},
        "gateway": {"url": "g"},
        "broker": {"url": "redis://:b@h"},
        "webhook_secret": "w",
        "data": "d",
    }
    assert without_secrets(state) == {"orthanc": {"url": "u"}, "gateway": {"url": "g"}, "data": "d"}


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


def test_a_log_that_grows_is_set_aside_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_view, "MAX_LOG_BYTES", 10)
    lines: list[str] = []
    with LogView(tmp_path, lambda _, line: lines.append(line)) as logs:
        for number in range(6):
            append(logs.follow("a"), b"line %d\n" % number)
            logs.pump()
    assert lines == [f"line {number}" for number in range(6)]
    assert (tmp_path / "a.log").stat().st_size < 20
    assert (tmp_path / "a.log.1").read_text() == "line 4\nline 5\n"


def service(name: str, code: str, ready: Callable[[], bool] = lambda: True, **fields: object) -> Service:
    return Service(name, (sys.executable, "-c", code), dict(os.environ), ready, **fields)  # type: ignore[arg-type]


SLEEP = "import time; time.sleep(600)"


class Watched:
    """A supervisor whose words are kept; it ends its services at the end of the `with` statement."""

    def __init__(self, data: DataDirectory, *services: Service) -> None:
        self.said: list[tuple[str, str]] = []
        self.pids: list[dict[str, int]] = []
        self._logs = LogView(data.logs, lambda *_: None)
        self.supervisor = Supervisor(data, services, self._logs, lambda *said: self.said.append(said), self._changed)

    def _changed(self, pids: dict[str, int]) -> None:
        self.pids.append(pids)
        if len(self.pids) > 3:
            signal.raise_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._logs:
            self.supervisor.stop()


def test_a_service_that_is_never_ready_is_an_error_with_the_end_of_its_log(data: DataDirectory) -> None:
    stuck = service("stuck", f"print('I wait', flush=True); {SLEEP}", lambda: False, ready_within=0.5)
    with (
        Watched(data, stuck) as watched,
        pytest.raises(StackError, match=r"stuck was not ready within 0.5 s.*\nI wait"),
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
    data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.1)
    with Watched(data, service("frail", "raise SystemExit(3)")) as watched:
        watched.supervisor.install_signals()
        watched.supervisor.start()
        watched.supervisor.run()
    deaths = [what for _, what in watched.said if "starts again" in what]
    assert deaths == [f"ended with status 3; starts again in {pause} s" for pause in ("0.1", "0.2", "0.4")]
    assert len({pids["frail"] for pids in watched.pids}) == 4


def test_one_that_does_not_end_by_itself_is_killed_with_its_children(data: DataDirectory) -> None:
    deaf = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(subprocess.Popen(('sleep', '600')).pid, flush=True); time.sleep(600)"
    )
    with Watched(data, service("deaf", deaf, stop=((signal.SIGTERM, 0.3),))) as watched:
        watched.supervisor.start()
        log = data.logs / "deaf.log"
        until(lambda: log.read_text().strip())
        child = int(log.read_text())
    assert ("deaf", "does not end by itself, and is killed") in watched.said
    until(lambda: not is_alive(child))


def test_they_end_in_their_order(data: DataDirectory) -> None:
    with Watched(data, service("keeper", SLEEP, stops=1), service("worker", SLEEP, stops=0)) as watched:
        watched.supervisor.start()
    assert [name for name, what in watched.said if what.startswith("ended")] == ["worker", "keeper"]


def test_a_process_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    parent_code = """
import os, sys
from pathlib import Path
from workers.supervision.process import Process
from workers.stack.services import Service

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
