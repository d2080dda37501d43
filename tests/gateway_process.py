"""The gateway as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from tests.servers import free_port
from tests.waiting import until


@contextmanager
def gateway(environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Run the gateway on a free port, with these additional variables; yields a client once it answers."""
    port = free_port()
    command = (sys.executable, "-m", "workers.cli", "gateway", "--port", str(port))
    with (
        subprocess.Popen(command, env=os.environ | environment) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        try:
            until(lambda: _alive(client), 60)
            yield client
        finally:
            process.terminate()


def _alive(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
