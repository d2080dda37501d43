"""Running a whole stack in this process, from the lock on its data directory to the end of its last service."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.stack.data_directory import DataDirectory, Secrets, write_private
from workers.stack.errors import StackError
from workers.stack.options import Options
from workers.stack.ports import LOOPBACK, Ports, choose_ports
from workers.stack.services import AET, ORTHANC_USER, Addresses, services
from workers.supervision.leftovers import leftovers, stop_all
from workers.supervision.log_view import LogView
from workers.supervision.supervisor import Stopped, Supervisor

__all__ = ["up"]


def up(
    options: Options,
    *,
    say: Callable[[str, str], None],
    show_log: Callable[[str, str], None],
    ready: Callable[[dict[str, Any]], None],
) -> None:
    """Start a stack, watch over it until SIGINT or SIGTERM, and end it.

    Args:
        options: what to start, and where.
        say: called with a service's name and what became of it.
        show_log: called with a service's name and each line that it writes.
        ready: called once, with the state, when everything works.

    Raises:
        StackError: it cannot start, or another stack runs on the data.
        ServiceError: one of its services did not become ready.
    """
    data = DataDirectory(options.data.resolve())
    data.prepare()
    with data.locked():
        _end_leftovers(data, say)
        secrets = data.secrets()
        ports = choose_ports(options.ports, data.last_ports())
        write_private(data.ports_file, asdict(ports))
        state = _State(data, ports, secrets, (data.state_file, *([options.state] if options.state else [])))
        cores = len(os.sched_getaffinity(0))
        to_run = services(data, ports, secrets, workers=options.workers or cores, device=options.device)
        with LogView(data.logs, show_log) as logs:
            supervisor = Supervisor(data.path, to_run, logs, say, state.write)
            supervisor.install_signals()
            try:
                supervisor.start()
                ready(state.content)
                supervisor.run()
            except Stopped:
                say("stack", "was asked to end while it was starting")
            finally:
                supervisor.stop()
                state.remove()


def _end_leftovers(data: DataDirectory, say: Callable[[str, str], None]) -> None:
    data.state_file.unlink(missing_ok=True)
    if found := leftovers(data.path):
        say("stack", f"ending {len(found)} processes that an earlier stack left behind")
        stop_all(found)
        if still := leftovers(data.path):
            raise StackError(f"processes of an earlier stack do not end: {', '.join(map(str, still))}")


class _State:
    """The state file, in the data directory and in the place that `Options.state` names."""

    def __init__(self, data: DataDirectory, ports: Ports, secrets: Secrets, files: tuple[Path, ...]) -> None:
        addresses = Addresses.of(ports, secrets)
        self._files = files
        self.content: dict[str, Any] = {
            "orthanc": {
                "url": addresses.orthanc,
                "dicom_host": LOOPBACK,
                "dicom_port": ports.dicom,
                "dicom_aet": AET,
                "user": ORTHANC_USER,
                "password": secrets.orthanc_password,
            },
            "gateway": {"url": addresses.gateway},
            "broker": {"url": addresses.broker},
            "webhook_secret": secrets.webhook_secret,
            "api_token": secrets.api_token,
            "data": str(data.path),
            "supervisor": os.getpid(),
            "processes": [],
        }

    def write(self, pids: Mapping[str, int]) -> None:
        """Write all of it, with these process ids by name."""
        self.content["processes"] = [{"name": name, "pid": pid} for name, pid in pids.items()]
        for file in self._files:
            write_private(file, self.content)

    def remove(self) -> None:
        for file in self._files:
            file.unlink(missing_ok=True)
