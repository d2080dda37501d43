"""Ports for the parts of a stack."""

import socket

import pytest

from workers.stack.errors import StackError
from workers.stack.ports import choose_ports


def test_the_ports_of_the_last_start_are_taken_again_if_they_are_free() -> None:
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
