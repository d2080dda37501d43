"""An association with a receiver of radiographs: opened when it is needed, opened again where it breaks."""

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, Association, _config, evt
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from mskmodel.dicom.terms import uid_name
from mskmodel.radiograph import NotClassifiable
from workers.pacs.outgoing import OutgoingFile, announced, wrapped
from workers.pacs.target import Target
from workers.sentences import network_reason

__all__ = ["FAILED", "STORED", "Broken", "Context", "Line", "Sent", "Unreachable"]

STORED, FAILED = "stored", "failed"

#: Seconds to connect, to agree on an association, and to wait for the answer to a store.
CONNECT_TIMEOUT, AGREE_TIMEOUT, STORE_TIMEOUT = 10, 30, 120
#: A rejection that the receiver calls transient (PS3.8 9.3.4).
TRANSIENT = 0x02

#: A SOP class and a transfer syntax. Each pair is proposed alone, so that the receiver cannot choose another syntax.
Context = tuple[str, str]


@dataclass(frozen=True)
class Sent:
    """What became of one file."""

    path: Path
    #: STORED or FAILED.
    status: str
    sop_instance_uid: str = ""
    #: Why it failed, or what the receiver warned of.
    reason: str = ""
    #: Seconds since the epoch, when the receiver had answered.
    at: float = 0.0


class Unreachable(Exception):
    """The receiver accepts no association; the message says why."""

    def __init__(self, why: str, *, passing: bool | None = None) -> None:
        super().__init__(why)
        #: Whether the receiver says that this is for now (True), or for good; None where it says neither.
        self.passing = passing


class Broken(Exception):
    """The association ended before the receiver had answered."""


class Line:
    """An association for files of some contexts."""

    def __init__(self, target: Target, contexts: list[Context]) -> None:
        # Files are sent in pieces, byte for byte, instead of being parsed and encoded again.
        _config.STORE_SEND_CHUNKED_DATASET = True
        self._target = target
        self._tls = target.tls.context() if target.tls else None
        self._entity = AE(target.aet)
        self._entity.connection_timeout = CONNECT_TIMEOUT
        self._entity.acse_timeout = AGREE_TIMEOUT
        self._entity.dimse_timeout = self._entity.network_timeout = STORE_TIMEOUT
        for sop_class, transfer_syntax in contexts:
            self._entity.add_requested_context(sop_class, transfer_syntax)
        self._association: Association | None = None
        self._accepted: set[Context] = set()

    def open(self) -> Association:
        """The association, opened if there is none. Raises `Unreachable`."""
        if self._association is not None and self._association.is_established:
            return self._association
        target = self._target
        association = self._entity.associate(
            target.host,
            target.port,
            ae_title=target.called_aet,
            tls_args=(self._tls, target.host) if self._tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once), (evt.EVT_ABORTED, _wake), (evt.EVT_RELEASED, _wake)],
        )
        if association.is_rejected:
            said = association.acceptor.primitive
            raise Unreachable(f"it was rejected: {said.reason_str}", passing=said.result == TRANSIENT or None)
        if association.rejected_contexts and not association.accepted_contexts:
            raise Unreachable("the receiver accepts none of the kinds of file that are to be sent", passing=False)
        if not association.is_established:
            raise Unreachable(f"no DICOM receiver answers there: {_why_not(target, self._tls)}")
        self._association = association
        self._accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
        return association

    def close(self) -> None:
        """End the association as the standard wants it."""
        if self._association is not None and self._association.is_established:
            self._association.release()

    def store(self, file: OutgoingFile) -> Sent:
        """Send one file over the open association.

        Raises:
            Broken: the association ended meanwhile; whether the file has arrived is not known.
            Unreachable: there was none, and none could be opened.
        """
        instance = file.sop_instance
        try:
            if file.is_picture:
                dataset = wrapped(file.path)
                instance = str(dataset.SOPInstanceUID)
                return self._store(file, instance, dataset)
            with announced(file) as path:
                return self._store(file, instance, path)
        except NotClassifiable as error:
            reason = error.reason
        except OSError as error:
            reason = f"cannot be read: {error.strerror or 'input/output error'}"
        except (ValueError, AttributeError, RuntimeError) as error:
            # pynetdicom raises these for a file that it cannot send. The message may quote the file: name the type.
            reason = f"cannot be sent ({type(error).__name__})"
        return Sent(file.path, FAILED, instance, reason, time.time())

    def _store(self, file: OutgoingFile, instance: str, content: object) -> Sent:
        association = self.open()
        if (file.sop_class, file.transfer_syntax) not in self._accepted:
            return Sent(file.path, FAILED, instance, _not_accepted(file), time.time())
        try:
            answer = association.send_c_store(content)
        except RuntimeError:
            if association.is_established:
                raise
            answer = Dataset()  # it broke before anything was sent
        if "Status" in answer:
            return _judged(file, instance, int(answer.Status))
        # The association broke, but may itself notice that only later.
        self._association = None
        raise Broken


def _send_at_once(event: evt.Event) -> None:
    """Set TCP_NODELAY: else a store waits 40 ms for the acknowledgement of its last packet (Nagle's algorithm)."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _wake(event: evt.Event) -> None:
    """Tell a store that began while the association ended: pynetdicom may have told nobody, and it would time out."""
    event.assoc.dimse.msg_queue.put((None, None))


def _why_not(target: Target, tls: ssl.SSLContext | None) -> str:
    """What comes of a connection, asked once more: pynetdicom only logs why there was none."""
    try:
        with socket.create_connection((target.host, target.port), CONNECT_TIMEOUT) as connection:
            if tls:
                tls.wrap_socket(connection, server_hostname=target.host).close()
    except OSError as error:
        return network_reason(error) or error.strerror or "input/output error"
    if target.tls is None:
        return "it ends the connection, as one that wants TLS does"
    return "it ends the connection" + ("" if target.tls.certificate else ", as one that wants our certificate does")


def _not_accepted(file: OutgoingFile) -> str:
    return f"the receiver does not accept {uid_name(file.sop_class)} in {uid_name(file.transfer_syntax)}"


def _judged(file: OutgoingFile, instance: str, status: int) -> Sent:
    """The result of a file, from the status that the receiver answered (PS3.4 table B.2-1)."""
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status, ("Failure", ""))
    said = f"{meaning or category} (status 0x{status:04X})"
    if category == "Success":
        return Sent(file.path, STORED, instance, at=time.time())
    if category == "Warning":
        return Sent(file.path, STORED, instance, f"with a warning: {said}", time.time())
    return Sent(file.path, FAILED, instance, f"refused: {said}", time.time())
