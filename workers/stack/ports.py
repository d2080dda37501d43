"""Ports for the parts of a stack: the given ones, else those of the last start, else free ones."""

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from workers.stack.errors import StackError

__all__ = ["LOOPBACK", "Ports", "choose_ports"]

LOOPBACK = "127.0.0.1"
_ANY = "0.0.0.0"  # noqa: S104 (Orthanc always listens on all addresses; it refuses other machines by itself)

#: Below Linux's range for outgoing connections, so that none of them takes the port of a service that
#: is being restarted.
CANDIDATES = range(20_000, 32_768)
ATTEMPTS = 200


@dataclass(frozen=True)
class Ports:
    """TCP ports on this machine."""

    orthanc: int
    dicom: int
    gateway: int
    broker: int


ADDRESSES = {"orthanc": _ANY, "dicom": _ANY, "gateway": LOOPBACK, "broker": LOOPBACK}


def _is_free(port: int, address: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose_ports(given: Mapping[str, int], last: Mapping[str, int]) -> Ports:
    """Ports by service name; 0 or absent in `given` means any.

    Raises:
        StackError: a given port is taken, or given twice.
    """
    chosen: dict[str, int] = {}
    for service, address in ADDRESSES.items():
        port = given.get(service, 0)
        if port and (port in chosen.values() or not _is_free(port, address)):
            raise StackError(f"port {port} (--{service}-port) is taken; give another, or 0 for a free one")
        if port:
            chosen[service] = port
    for service, address in ADDRESSES.items():
        if service not in chosen:
            chosen[service] = _any_port(last.get(service), address, set(chosen.values()))
    return Ports(**chosen)


def _any_port(preferred: int | None, address: str, taken: set[int]) -> int:
    candidates = [preferred] if preferred else []
    candidates += random.sample(CANDIDATES, ATTEMPTS)
    for port in candidates:
        if port not in taken and _is_free(port, address):
            return port
    raise StackError(f"none of {ATTEMPTS} ports between {CANDIDATES.start} and {CANDIDATES.stop} is free")
