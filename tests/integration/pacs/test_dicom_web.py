"""Answers of DICOMweb that were cut off are noticed, also where only their content shows it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from workers.pacs import DicomWeb, OrthancUnavailable
from workers.settings import Settings

PARTS = b"\r\n--limit\r\nContent-Type: application/dicom\r\n\r\n" + b"pixels" * 100_000 + b"\r\n--limit--\r\n"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=limit'


@contextmanager
def serving(body: bytes) -> Iterator[DicomWeb]:
    """A server that says the end of its answers by closing the connection, as newer Orthancs end some."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", MULTIPART)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        orthanc = DicomWeb.of(
            Settings(
                MSK_ORTHANC_URL=f"http://127.0.0.1:{server.server_port}",
                MSK_ORTHANC_USER="somebody",
                MSK_ORTHANC_PASSWORD="something",
                MSK_BROKER_URL="redis://127.0.0.1:1/0",
            )
        )
        try:
            yield orthanc
        finally:
            orthanc.close()
            server.shutdown()
            thread.join()


def test_a_whole_answer_is_handed_on() -> None:
    with serving(PARTS) as orthanc:
        assert b"".join(orthanc.ask("studies/1.2", [], {}).pieces()) == PARTS


@pytest.mark.parametrize("missing", [6, 7, len(PARTS) // 2])
def test_one_that_was_cut_off_is_an_error(missing: int) -> None:
    with serving(PARTS[:-missing]) as orthanc, pytest.raises(OrthancUnavailable, match="cut off"):
        list(orthanc.ask("studies/1.2", [], {}).pieces())
