"""Real servers for tests and benchmarks: an Orthanc with our configuration and hook, a webhook receiver."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import requests

ROOT = Path(__file__).parent.parent
#: Seconds; a loaded machine with two cores needs about two.
START_TIMEOUT = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_webhook_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def orthanc_executable() -> str:
    """Path of Orthanc, which Debian installs into a folder that is only in root's PATH."""
    found = shutil.which("Orthanc", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError("Orthanc is not installed: apt-get install orthanc orthanc-python")
    return found


class Orthanc:
    """A real Orthanc on free ports of 127.0.0.1, its data under `data`; a second start() finds all of it.

    ``changes``: parts of the text of `orthanc.json`, and what stands there instead.
    """

    def __init__(
        self,
        data: Path,
        *,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        environment: dict[str, str] | None = None,
        changes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.data, self.changes = data, changes
        self.log = data / "orthanc.log"
        self.http_port, self.dicom_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.dicom_aet = "MSK"
        self.user, self.password = "msk", secrets.token_urlsafe(12)
        self._environment = self._own_environment(webhook_url, webhook_secret) | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def _own_environment(self, webhook_url: str | None, webhook_secret: str | None) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MSK_", "PYTHON"))}
        settings = {
            "MSK_ORTHANC_HTTP_PORT": str(self.http_port),
            "MSK_ORTHANC_DICOM_PORT": str(self.dicom_port),
            "MSK_ORTHANC_STORAGE": str(self.data / "storage"),
            "MSK_ORTHANC_USERS": json.dumps({self.user: self.password}),
            "MSK_ORTHANC_WEBHOOK": str(ROOT / "orthanc" / "webhook.py"),
            "MSK_WEBHOOK_URL": webhook_url or "",
            "MSK_WEBHOOK_SECRET": webhook_secret or "",
            "TCP_NODELAY": "1",
        }
        return inherited | settings

    @property
    def access(self) -> dict[str, str]:
        """The MSK_ variables with which our programs reach it."""
        return {"MSK_ORTHANC_URL": self.url, "MSK_ORTHANC_USER": self.user, "MSK_ORTHANC_PASSWORD": self.password}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers; raises RuntimeError with the end of its log when it does not."""
        (self.data / "storage").mkdir(parents=True, exist_ok=True)
        text = (ROOT / "orthanc" / "orthanc.json").read_text()
        for part, instead in self.changes.items():
            assert part in text
            text = text.replace(part, instead)
        configuration = self.data / "orthanc.json"
        configuration.write_text(text)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [orthanc_executable(), str(configuration)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        for _ in range(int(START_TIMEOUT / 0.05)):
            if self._answers():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                break
        self.kill()
        raise RuntimeError(f"Orthanc did not start:\n{self.log_text()[-2000:]}")

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/system", auth=(self.user, self.password), timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self, timeout: float = 30.0) -> int:
        """Asks it to end, as a service manager would; its exit status. TimeoutExpired when it hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout)

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def upload(self, dicom: bytes) -> str:
        """Stores over REST; the instance's Orthanc identifier."""
        answer = requests.post(f"{self.url}/instances", data=dicom, auth=(self.user, self.password), timeout=60)
        answer.raise_for_status()
        return str(answer.json()["ID"])


@contextlib.contextmanager
def running_orthanc(data: Path, **options: Any) -> Iterator[Orthanc]:
    """An Orthanc that runs. ``options``: of `Orthanc`."""
    server = Orthanc(data, **options)
    server.start()
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Hook:
    """One POST as it came in. Header names are lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def instance(self) -> str:
        return str(json.loads(self.body)["data"]["instance"])


class _QuietServer(ThreadingHTTPServer):
    """Logs nothing when a sender disconnects, which tests do on purpose."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class HookReceiver:
    """A real HTTP server that keeps every POST and answers what `answer(hook)` says, which may block."""

    def __init__(self, answer: Callable[[Hook], int] = lambda _hook: 202, port: int = 0) -> None:
        self.answer = answer
        self.hooks: list[Hook] = []
        self.connections = 0
        self._arrived = threading.Condition()
        self._server = _QuietServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_port)
        self.url = f"http://127.0.0.1:{self.port}/hooks/orthanc"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook = Hook({name.lower(): value for name, value in self.headers.items()}, body)
                status = receiver._receive(hook)
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name in the base class)
                pass

        return Handler

    def _receive(self, hook: Hook) -> int:
        with self._arrived:
            self.hooks.append(hook)
            self._arrived.notify_all()
        return self.answer(hook)

    def wait_for(self, condition: Callable[[list[Hook]], object], timeout: float = 30.0) -> list[Hook]:
        """The hooks received, once `condition(hooks)` holds; AssertionError if it does not in time."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: condition(self.hooks), timeout), (
                f"{len(self.hooks)} hooks came in, not what was waited for"
            )
            return list(self.hooks)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "HookReceiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if __name__ == "__main__":
    # A receiver to kill: python -m tests.servers PORT writes a line for every hook.
    def tell(hook: Hook) -> int:
        print(hook.id, hook.instance, flush=True)
        return 202

    with HookReceiver(tell, int(sys.argv[1])):
        print("ready", flush=True)
        signal.pause()
