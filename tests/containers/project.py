"""A compose project of its own: random name, random secrets, free ports; gone without a trace afterwards."""

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.proxies import DEAD_PROXY

ROOT = Path(__file__).parents[2]
SECRETS = ("MSK_ORTHANC_USER", "MSK_ORTHANC_PASSWORD", "MSK_BROKER_PASSWORD", "MSK_WEBHOOK_SECRET")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*command: str, check: bool = True, environment: dict[str, str] | None = None) -> str:
    """What a command printed; AssertionError with the end of both outputs where it failed."""
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=ROOT)
        errors.seek(0)
        said = (done.stdout + errors.read())[-4000:]
    assert not check or done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{said}"
    return done.stdout


class Project:
    """The services of compose.yaml, handled by podman-compose and looked at by podman."""

    def __init__(self) -> None:
        self.name = f"msktest{secrets.token_hex(3)}"
        self.http, self.dicom, self.gateway = free_port(), free_port(), free_port()
        self.user, self.password = f"user{secrets.token_hex(4)}", secrets.token_hex(16)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MSK_")} | {
            "MSK_ORTHANC_USER": self.user,
            "MSK_ORTHANC_PASSWORD": self.password,
            "MSK_BROKER_PASSWORD": secrets.token_hex(16),
            "MSK_API_TOKEN": secrets.token_hex(16),
            "MSK_WEBHOOK_SECRET": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
            "MSK_PUBLISH_HTTP": f"127.0.0.1:{self.http}",
            "MSK_PUBLISH_DICOM": f"127.0.0.1:{self.dicom}",
            "MSK_PUBLISH_GATEWAY": f"127.0.0.1:{self.gateway}",
            "MSK_LABEL_CONCURRENCY": "1",
        }

    def compose(self, *arguments: str, without: str = "", check: bool = True) -> str:
        """podman-compose on this project; `without`: a variable to leave out. A .env of the developer's is not read."""
        environment = {name: value for name, value in self.environment.items() if name != without}
        command = ("podman-compose", "--env-file", os.devnull, "-p", self.name, "-f", str(ROOT / "compose.yaml"))
        return run(*command, *arguments, check=check, environment=environment)

    def build(self) -> None:
        """The images, from nothing or from layers that are still true."""
        self.compose("build")

    def up(self, label_workers: int) -> None:
        """Start everything."""
        # Both ways to say it: podman-compose does not remember --scale when it takes things down.
        self.environment["MSK_LABEL_WORKERS"] = str(label_workers)
        self.environment |= DEAD_PROXY  # which podman hands in to the containers, where nobody may ask it
        self.compose("up", "-d", "--no-build", "--scale", f"label-worker={label_workers}")

    def down(self, *arguments: str) -> None:
        """End everything; with `--volumes`, the data too."""
        self.compose("down", *arguments)

    def containers(self, service: str | None = None) -> list[str]:
        """Names of the project's containers, running or not; of one service or all."""
        labels = [f"label=io.podman.compose.project={self.name}"]
        if service:
            labels.append(f"label=com.docker.compose.service={service}")
        filters = [part for label in labels for part in ("--filter", label)]
        return sorted(run("podman", "ps", "--all", *filters, "--format", "{{.Names}}").split())

    def inspect(self, container: str) -> dict[str, Any]:
        """What podman knows about a container."""
        found: dict[str, Any] = json.loads(run("podman", "inspect", container))[0]
        return found

    def healthy(self, container: str) -> bool:
        """Whether the container's own health check passes now. Asked aloud: without systemd, podman keeps no clock."""
        return subprocess.run(("podman", "healthcheck", "run", container), capture_output=True).returncode == 0

    def execute(self, container: str, *command: str, check: bool = True) -> str:
        """Run a command inside."""
        return run("podman", "exec", container, *command, check=check)

    def kill(self, container: str) -> None:
        """As the kernel would when memory is short: the first process of the container dies at once."""
        os.kill(self.inspect(container)["State"]["Pid"], signal.SIGKILL)

    def remains(self) -> list[str]:
        """Containers, pods, volumes and networks of the project that are still there."""
        kinds = (("ps", "--all"), ("pod", "ls"), ("volume", "ls"), ("network", "ls"))
        names = [run("podman", *kind, "--format", "{{.Names}}" if "ps" in kind else "{{.Name}}") for kind in kinds]
        return [name for text in names for name in text.split() if self.name in name]
