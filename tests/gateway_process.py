"""The gateway as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import httpx

from tests.certificates import Identity
from tests.servers import free_port
from tests.waiting import until


@contextmanager
def gateway(environment: Mapping[str, str], **options: Any) -> Iterator[httpx.Client]:
    """Run the gateway, with these additional variables; yields a client once it answers. ``options``: of `running`."""
    with running(environment, **options) as (_, client):
        yield client


@contextmanager
def running(
    environment: Mapping[str, str],
    *,
    identity: Identity | None = None,
    port: int | None = None,
    log: IO[bytes] | None = None,
) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """As `gateway`, with the process.

    ``identity``: its certificate, with which it serves HTTPS; the client accepts any. ``log``: of its standard error.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "workers.cli", "gateway", "--port", str(port)]
    if identity:
        command += ["--tls-certificate", str(identity.certificate), "--tls-key", str(identity.key)]
    address = f"{'https' if identity else 'http'}://127.0.0.1:{port}"
    with (
        subprocess.Popen(command, env=os.environ | environment, stderr=log) as process,
        httpx.Client(base_url=address, timeout=60, verify=False) as client,
    ):
        try:
            until(lambda: _alive(client), 60)
            yield process, client
        finally:
            process.terminate()


def _alive(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
