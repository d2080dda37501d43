"""TLS in front of a server that has none, such as the Valkey and the Orthanc of the tests."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from tests.certificates import Identity


class TlsProxy:
    """Passes on what comes over TLS to 127.0.0.1:`target`; `received` is all that clients sent, decrypted.

    With TLS 1.2, whose handshake ends only when the client has judged the certificate.
    """

    def __init__(self, identity: Identity, target: int, port: int = 0) -> None:
        self.present(identity)
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.received = b""
        self.refused = 0
        """Connections that the client broke off during the handshake, or that spoke no TLS."""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def present(self, identity: Identity) -> None:
        """Show another certificate from now on."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(identity.certificate, identity.key)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                client = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                self.refused += 1
                return
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open += [client, server]
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if isinstance(source, ssl.SSLSocket):
                    self.received += data
                sink.sendall(data)
        _end(source, sink)

    def close(self) -> None:
        self._listener.close()
        _end(*self._open)


def _end(*sockets: socket.socket) -> None:
    for sock in sockets:
        with contextlib.suppress(OSError):  # the other side was first
            sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tls_before(identity: Identity, target: int, port: int = 0) -> Iterator[TlsProxy]:
    """A proxy with that certificate before the port of a server."""
    proxy = TlsProxy(identity, target, port)
    try:
        yield proxy
    finally:
        proxy.close()
