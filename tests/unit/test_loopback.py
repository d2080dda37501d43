"""Loopback is reached past the proxies that the environment names; every other host as the environment says."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.proxies import DEAD_PROXY
from workers.loopback import DirectToLoopback

OTHER_HOSTS = ("pacs.hospital", "localhost.hospital", "notlocalhost", "10.0.0.1", "128.0.0.1", "[2001:db8::1]")
#: Linux connects to this machine; by its address it is not loopback.
NO_LOOPBACK = "0.0.0.0"


class Server(ThreadingHTTPServer):
    """A web server, or a proxy as HTTP/1.1 has it: it keeps what it was asked for, and refuses to tunnel."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.asked: list[str] = []
        super().__init__((host, 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200 if self.command == "GET" else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_CONNECT = do_GET  # noqa: N815 (named after the method)

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One that all the variables name, in both cases."""
    with running(Server()) as proxy:
        for name in DEAD_PROXY:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        yield proxy


def get(url: str) -> int:
    with requests.Session() as session:
        session.mount("http://", DirectToLoopback())
        session.mount("https://", DirectToLoopback())
        return session.get(url, timeout=10).status_code


@pytest.mark.parametrize(
    ("listens", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "LOCALHOST"),
        ("127.8.9.10", "127.8.9.10"),
        ("::1", "[::1]"),
    ],
)
def test_loopback_is_reached_past_the_proxy(proxy: Server, listens: str, name: str) -> None:
    if listens == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with running(Server(listens)) as server:
        assert get(f"http://{name}:{server.server_port}/system") == 200
        assert server.asked == ["GET /system"]
    assert proxy.asked == []


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_another_host_is_reached_through_the_proxy(proxy: Server, host: str) -> None:
    assert get(f"http://{host}:8042/system") == 200
    assert proxy.asked == [f"GET http://{host}:8042/system"]


def test_the_same_holds_for_https(proxy: Server) -> None:
    with running(Server()) as server, pytest.raises(requests.exceptions.SSLError):  # it speaks no TLS
        get(f"https://127.0.0.1:{server.server_port}/system")
    assert proxy.asked == []
    with pytest.raises(requests.exceptions.ProxyError):  # it tunnels nothing
        get("https://pacs.hospital/system")
    assert proxy.asked == ["CONNECT pacs.hospital:443"]


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_of_the_environment_counts_beside_it(
    proxy: Server, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"pacs.hospital,{NO_LOOPBACK}")
    with running(Server()) as server:
        for host in (NO_LOOPBACK, "127.0.0.1"):
            assert get(f"http://{host}:{server.server_port}/") == 200
        assert len(server.asked) == 2
    assert proxy.asked == []
    monkeypatch.setenv(variable, "pacs.hospital")
    assert get(f"http://{NO_LOOPBACK}:8042/") == 200
    assert proxy.asked == [f"GET http://{NO_LOOPBACK}:8042/"]


@pytest.mark.usefixtures("proxy")
def test_the_environment_stays_as_it_is() -> None:
    before = dict(os.environ)
    with running(Server()) as server:
        get(f"http://localhost:{server.server_port}/")
    assert dict(os.environ) == before
