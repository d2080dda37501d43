"""Sends radiographs over DICOM (C-STORE): DICOM files unchanged, PNG and JPEG files wrapped as DX.

Files are read one at a time and in pieces, so a folder of any size can be sent.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from pynetdicom import AE, Association, _config, evt
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from mskmodel.dicom.terms import uid_name
from mskmodel.radiograph import NotClassifiable
from workers.pacs.outgoing import Outgoing, OutgoingFile, collect, wrapped

__all__ = ["FAILED", "STORED", "SendError", "Sent", "Target", "deliver", "send"]

STORED, FAILED = "stored", "failed"

#: Most presentation contexts in one association (PS3.8 9.3.2.2: odd numbers to 255).
MAX_CONTEXTS = 128
#: Seconds to connect, to agree on an association, and to wait for the answer to a store.
CONNECT_TIMEOUT, AGREE_TIMEOUT, STORE_TIMEOUT = 10, 30, 120
#: Most times that an instance is sent if the association breaks.
TRIES = 2


class SendError(Exception):
    """Nothing can be sent; the message says why and what to do."""


@dataclass(frozen=True)
class Target:
    """The receiver's address and title, and our own title."""

    host: str = "127.0.0.1"
    port: int = 4242
    #: The receiver's application entity title.
    called_aet: str = "ORTHANC"
    #: Ours.
    aet: str = "MSKSEND"

    def __post_init__(self) -> None:
        for title in (self.called_aet, self.aet):
            if not (title.strip() and len(title) <= 16 and title.isascii() and title.isprintable()):
                raise SendError(f"{title!r} is no application entity title: 1 to 16 printable ASCII characters")

    def __str__(self) -> str:
        return f"{self.called_aet} at {self.host}:{self.port}"

    @classmethod
    def from_state(cls, file: Path, aet: str = "MSKSEND") -> "Target":
        """The Orthanc of a local stack, from its state file.

        Raises:
            SendError: the file cannot be read, or is no state file.
        """
        try:
            orthanc = json.loads(file.read_text())["orthanc"]
            host = orthanc.get("dicom_host") or urlsplit(orthanc["url"]).hostname or "127.0.0.1"
            return cls(host, int(orthanc["dicom_port"]), orthanc["dicom_aet"], aet)
        except OSError as error:
            raise SendError(
                f"{file} cannot be read ({error.strerror}); is the stack up? start it with: msk up"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SendError(f"{file} is no state file of a local stack; it is written by msk up --state") from error


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


def send(
    paths: Iterable[Path], target: Target, senders: int = 1, on_result: Callable[[Sent], None] | None = None
) -> list[Sent]:
    """Send files, and all DICOM, PNG and JPEG files in folders; returns the result of each.

    `on_result` is called for each file as soon as it is answered, never by two threads at once.

    Raises:
        SendError: the receiver accepts no association.
    """
    return deliver(collect(paths), target, senders, on_result)


def deliver(
    outgoing: Outgoing, target: Target, senders: int = 1, on_result: Callable[[Sent], None] | None = None
) -> list[Sent]:
    """Send what was collected, over `senders` parallel associations; otherwise as `send`."""
    # Files are sent in pieces, byte for byte, instead of being parsed and encoded again.
    _config.STORE_SEND_CHUNKED_DATASET = True
    results = _Results(on_result)
    for path, reason in outgoing.unsendable:
        results.add(Sent(path, FAILED, reason=reason))
    for contexts, files in _batches(outgoing.files):
        _Batch(target, contexts, files, results).run(min(senders, len(files)))
    return results.all


class _Results:
    def __init__(self, on_result: Callable[[Sent], None] | None) -> None:
        self.all: list[Sent] = []
        self._on_result = on_result
        self._lock = threading.Lock()

    def add(self, sent: Sent) -> None:
        with self._lock:
            self.all.append(sent)
            if self._on_result is not None:
                self._on_result(sent)


#: A SOP class and a transfer syntax. Each pair is proposed alone, so that the receiver cannot choose another syntax.
Context = tuple[str, str]


def _batches(files: Sequence[OutgoingFile]) -> Iterator[tuple[list[Context], list[OutgoingFile]]]:
    """Split files so that each batch fits the presentation contexts of one association."""
    by_context: dict[Context, list[OutgoingFile]] = {}
    for file in files:
        by_context.setdefault((file.sop_class, file.transfer_syntax), []).append(file)
    contexts = list(by_context)
    for start in range(0, len(contexts), MAX_CONTEXTS):
        chosen = contexts[start : start + MAX_CONTEXTS]
        yield chosen, [file for context in chosen for file in by_context[context]]


class _Unreachable(Exception):
    """The receiver accepts no association; the message says why."""


class _Batch:
    """Files whose contexts fit into one association, and the senders that share them."""

    def __init__(self, target: Target, contexts: list[Context], files: list[OutgoingFile], results: _Results) -> None:
        self._target, self._contexts, self._results = target, contexts, results
        self._waiting: SimpleQueue[OutgoingFile] = SimpleQueue()
        for file in files:
            self._waiting.put(file)
        self._stop = threading.Event()
        self._reached = False
        self._problem = ""

    def run(self, senders: int) -> None:
        """Send all; returns when each file has a result."""
        with ThreadPoolExecutor(senders, "sender") as pool:
            try:
                for sender in [pool.submit(self._work) for _ in range(senders)]:
                    sender.result()
            finally:
                self._stop.set()
        if not self._reached:
            raise SendError(f"{self._target} accepts no association: {self._problem}")
        while (file := self._next()) is not None:
            reason = f"the connection was lost: {self._problem}"
            self._results.add(Sent(file.path, FAILED, file.sop_instance, reason, time.time()))

    def _next(self) -> OutgoingFile | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _work(self) -> None:
        """One sender: sends until no file is left, or until the receiver can no longer be reached."""
        file: OutgoingFile | None = None
        line = _Line(self._target, self._contexts)
        try:
            line.open()
            self._reached = True
            while not self._stop.is_set() and (file := self._next()) is not None:
                self._results.add(line.store(file))
        except _Unreachable as error:
            self._problem = str(error)
            if file is not None:
                self._waiting.put(file)
        finally:
            line.close()


class _Line:
    """An association that is opened again if it breaks."""

    def __init__(self, target: Target, contexts: list[Context]) -> None:
        self._target = target
        self._entity = AE(target.aet)
        self._entity.connection_timeout = CONNECT_TIMEOUT
        self._entity.acse_timeout = AGREE_TIMEOUT
        self._entity.dimse_timeout = self._entity.network_timeout = STORE_TIMEOUT
        for sop_class, transfer_syntax in contexts:
            self._entity.add_requested_context(sop_class, transfer_syntax)
        self._association: Association | None = None
        self._accepted: set[Context] = set()

    def open(self) -> Association:
        """The association, opened if there is none. Raises `_Unreachable`."""
        if self._association is not None and self._association.is_established:
            return self._association
        target = self._target
        association = self._entity.associate(
            target.host, target.port, ae_title=target.called_aet, evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once)]
        )
        if association.is_rejected:
            raise _Unreachable(f"it was rejected: {association.acceptor.primitive.reason_str}")
        if association.rejected_contexts and not association.accepted_contexts:
            raise _Unreachable("the receiver accepts none of the kinds of file that are to be sent")
        if not association.is_established:
            raise _Unreachable("no DICOM receiver answers there")
        self._association = association
        self._accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
        return association

    def close(self) -> None:
        """End the association as the standard wants it."""
        if self._association is not None and self._association.is_established:
            self._association.release()

    def store(self, file: OutgoingFile) -> Sent:
        """Send one file; retry once if the association breaks. Raises `_Unreachable`."""
        instance = file.sop_instance
        try:
            dataset = wrapped(file.path) if file.is_picture else None
            instance = str(dataset.SOPInstanceUID) if dataset is not None else instance
            for _ in range(TRIES):
                association = self.open()
                if (file.sop_class, file.transfer_syntax) not in self._accepted:
                    return Sent(file.path, FAILED, instance, _not_accepted(file), time.time())
                answer = association.send_c_store(dataset if dataset is not None else file.path)
                if "Status" in answer:
                    return _judged(file, instance, int(answer.Status))
                # The association broke, but may itself notice that only later.
                self._association = None
        except NotClassifiable as error:
            return Sent(file.path, FAILED, instance, error.reason, time.time())
        except OSError as error:
            reason = f"cannot be read: {error.strerror or 'input/output error'}"
            return Sent(file.path, FAILED, instance, reason, time.time())
        except (ValueError, AttributeError, RuntimeError) as error:
            # pynetdicom raises these for a file that it cannot send. The message may quote the file: name the type.
            reason = f"cannot be sent ({type(error).__name__})"
            return Sent(file.path, FAILED, instance, reason, time.time())
        return Sent(file.path, FAILED, instance, "the receiver broke the connection", time.time())


def _send_at_once(event: evt.Event) -> None:
    """Set TCP_NODELAY: else a store waits 40 ms for the acknowledgement of its last packet (Nagle's algorithm)."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


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
