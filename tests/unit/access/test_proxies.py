"""What a proxy says counts where it is trusted, and nowhere else."""

from ipaddress import ip_network

import pytest
from starlette.requests import HTTPConnection

from workers.access.proxies import Proxies

PROXIES = Proxies(frozenset({ip_network("10.0.0.0/24"), ip_network("fd00::/8")}))


def asked(peer: str | None, scheme: str = "http", **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = (peer, 1234) if peer else None
    return HTTPConnection(
        {"type": "http", "client": client, "headers": raw, "scheme": scheme, "path": "/", "server": ("h", 80)}
    )


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.0.0.7", True),
        ("::ffff:10.0.0.7", True),
        ("fd00::1", True),
        ("10.0.1.7", False),
        ("x", False),
        (None, False),
    ],
)
def test_who_is_trusted_is_told_by_the_address_of_the_connection(peer: str | None, trusted: bool) -> None:
    assert PROXIES.trusts(asked(peer, x_forwarded_for="10.0.0.7")) is trusted


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("10.0.0.7", "192.168.1.5", "192.168.1.5"),
        ("10.0.0.7", "1.1.1.1, 192.168.1.5, 10.0.0.8", "192.168.1.5"),
        ("10.0.0.7", "1.1.1.1, rubbish", "10.0.0.7"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("192.168.1.9", "192.168.1.5", "192.168.1.9"),
        (None, "192.168.1.5", "unknown"),
    ],
)
def test_the_address_is_the_last_one_that_no_trusted_proxy_has(peer: str | None, said: str, address: str) -> None:
    assert PROXIES.address(asked(peer, x_forwarded_for=said)) == address


@pytest.mark.parametrize(
    ("peer", "scheme", "said", "secure"),
    [
        ("192.168.1.9", "https", "", True),
        ("10.0.0.7", "http", "https", True),
        ("10.0.0.7", "http", "http", False),
        ("192.168.1.9", "http", "https", False),
    ],
)
def test_tls_is_seen_or_told_by_a_trusted_proxy(peer: str, scheme: str, said: str, secure: bool) -> None:
    assert PROXIES.is_secure(asked(peer, scheme, x_forwarded_proto=said)) is secure
