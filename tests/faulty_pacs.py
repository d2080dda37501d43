"""A proxy before a real Orthanc that spoils chosen answers, as a failing disk, proxy or network does."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

__all__ = ["CUT", "HANGS", "NO_JSON", "FaultyPacs", "faulty_pacs"]

#: Faults other than a status: half of the body is sent; no answer comes; a page of a proxy comes instead.
CUT, HANGS, NO_JSON = -1, -2, -3

Fault = Callable[[str, str], int | None]


class FaultyPacs:
    """The proxy's address, and what it does: `fault` gets method and path, and returns a status, a fault, or None."""

    def __init__(self, upstream: str) -> None:
        self.fault: Fault = lambda _method, _path: None
        self.upstream = urlsplit(upstream).netloc
        self.ended = threading.Event()
        self.url = ""

    def spoil(self, fault: int, *, method: str = "GET", parts: tuple[str, ...] = ("/",)) -> None:
        """Answer requests of that method, whose path contains any of the parts, with this fault."""
        self.fault = lambda asked, path: fault if asked == method and any(part in path for part in parts) else None

    def heal(self) -> None:
        """Answer everything as Orthanc does."""
        self.fault = lambda _method, _path: None


@contextmanager
def faulty_pacs(upstream: str) -> Iterator[FaultyPacs]:
    """A proxy on a free port of this machine."""
    pacs = FaultyPacs(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = pacs.fault(self.command, self.path)
            if fault == HANGS:
                pacs.ended.wait()
                self.close_connection = True
            elif fault is not None and fault > 0:
                self.answer(fault, {"Content-Type": "application/json"}, b"{}")
            elif fault == NO_JSON:
                self.answer(200, {"Content-Type": "text/html"}, b"<html>welcome</html>")
            else:
                connection = HTTPConnection(pacs.upstream, timeout=60)
                connection.request(self.command, self.path, body, dict(self.headers))
                found = connection.getresponse()
                content = found.read()
                connection.close()
                kept = {name: value for name, value in found.getheaders() if name.lower() in ("content-type", "etag")}
                self.answer(found.status, kept, content, cut=fault == CUT)

        def answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = forward  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pacs.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield pacs
    finally:
        pacs.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
