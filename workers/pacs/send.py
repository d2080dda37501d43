"""Sends radiographs over DICOM (C-STORE): DICOM files unchanged, pictures wrapped as DX.

Files are read one at a time and in pieces, so a folder of any size can be sent. A receiver that goes away is waited
for.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from workers.pacs.association import FAILED, STORED, Broken, Context, Line, Sent, Unreachable
from workers.pacs.outgoing import Outgoing, OutgoingFile, collect
from workers.pacs.target import SendError, Target, Tls

__all__ = ["FAILED", "PATIENCE", "STORED", "SendError", "Sent", "Target", "Tls", "deliver", "send"]

#: Most presentation contexts in one association (PS3.8 9.3.2.2: odd numbers to 255).
MAX_CONTEXTS = 128
#: Most times that an instance is sent if the association breaks.
TRIES = 3
#: Seconds that a receiver may be away.
PATIENCE = 120.0
#: Seconds between two attempts to reach it: the first, doubled each time up to the longest.
FIRST_DELAY, LONGEST_DELAY = 0.25, 5.0


def send(
    paths: Iterable[Path],
    target: Target,
    senders: int = 1,
    on_result: Callable[[Sent], None] | None = None,
    *,
    patience: float = PATIENCE,
    on_waiting: Callable[[str], None] | None = None,
) -> list[Sent]:
    """Send files, and all DICOM files and pictures in folders; returns the result of each.

    Args:
        senders: associations in parallel.
        on_result: called for each file as soon as it is answered, never by two threads at once.
        patience: seconds to wait for a receiver that was reached and went away, or says that it is busy.
        on_waiting: called with what is waited for, and with "" once it goes on.

    Raises:
        SendError: the receiver accepts no association.
    """
    return deliver(collect(paths), target, senders, on_result, patience=patience, on_waiting=on_waiting)


def deliver(
    outgoing: Outgoing,
    target: Target,
    senders: int = 1,
    on_result: Callable[[Sent], None] | None = None,
    *,
    patience: float = PATIENCE,
    on_waiting: Callable[[str], None] | None = None,
) -> list[Sent]:
    """Send what was collected; otherwise as `send`."""
    report = _Report(on_result, on_waiting)
    for path, reason in outgoing.unsendable:
        report.add(Sent(path, FAILED, reason=reason))
    reached = threading.Event()
    for contexts, files in _batches(outgoing.files):
        _Batch(target, contexts, files, report, reached, patience).run(min(senders, len(files)))
    return report.results


class _Report:
    """What is told while files are sent, one thread at a time."""

    def __init__(self, on_result: Callable[[Sent], None] | None, on_waiting: Callable[[str], None] | None) -> None:
        self.results: list[Sent] = []
        self._on_result, self._on_waiting = on_result, on_waiting
        self._waiting = ""
        self._lock = threading.Lock()

    def add(self, sent: Sent) -> None:
        with self._lock:
            self.results.append(sent)
            if self._on_result is not None:
                self._on_result(sent)

    def waiting(self, reason: str) -> None:
        """Tell what is waited for, once; "" if nothing is."""
        with self._lock:
            if bool(reason) != bool(self._waiting) and self._on_waiting is not None:
                self._on_waiting(reason)
            self._waiting = reason


def _batches(files: Sequence[OutgoingFile]) -> Iterator[tuple[list[Context], list[OutgoingFile]]]:
    """Split files so that each batch fits the presentation contexts of one association."""
    by_context: dict[Context, list[OutgoingFile]] = {}
    for file in files:
        by_context.setdefault((file.sop_class, file.transfer_syntax), []).append(file)
    contexts = list(by_context)
    for start in range(0, len(contexts), MAX_CONTEXTS):
        chosen = contexts[start : start + MAX_CONTEXTS]
        yield chosen, [file for context in chosen for file in by_context[context]]


class _Batch:
    """Files whose contexts fit into one association, and the senders that share them."""

    def __init__(
        self,
        target: Target,
        contexts: list[Context],
        files: list[OutgoingFile],
        report: _Report,
        reached: threading.Event,
        patience: float,
    ) -> None:
        self._target, self._contexts, self._report = target, contexts, report
        self._waiting: SimpleQueue[OutgoingFile] = SimpleQueue()
        for file in files:
            self._waiting.put(file)
        self._stop = threading.Event()
        #: Whether the receiver was reached at all, by whichever batch.
        self._reached, self._patience = reached, patience
        self._problem = ""

    def run(self, senders: int) -> None:
        """Send all; returns when each file has a result."""
        with ThreadPoolExecutor(senders, "sender") as pool:
            try:
                for sender in [pool.submit(self._work) for _ in range(senders)]:
                    sender.result()
            finally:
                self._stop.set()
        if not self._reached.is_set():
            raise SendError(f"{self._target} accepts no association: {self._problem}")
        while (file := self._next()) is not None:
            reason = f"not sent: {self._problem}"
            self._report.add(Sent(file.path, FAILED, file.sop_instance, reason, time.time()))

    def _next(self) -> OutgoingFile | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _work(self) -> None:
        """One sender: sends until no file is left, or until the receiver can no longer be reached."""
        file: OutgoingFile | None = None
        line = Line(self._target, self._contexts)
        try:
            self._open(line, None)
            while not self._stop.is_set() and (file := self._next()) is not None:
                self._report.add(self._store(line, file))
        except Unreachable as error:
            self._problem = str(error)
            if file is not None:
                self._waiting.put(file)
        finally:
            line.close()

    def _store(self, line: Line, file: OutgoingFile) -> Sent:
        """Send one file, again if the association breaks. Raises `Unreachable`."""
        for _ in range(TRIES):
            self._open(line, file)
            try:
                return line.store(file)
            except Broken:
                continue
        return Sent(file.path, FAILED, file.sop_instance, "the receiver broke the connection", time.time())

    def _open(self, line: Line, file: OutgoingFile | None) -> None:
        """Open the association if it is not; wait for a receiver that is away for a while. Raises `Unreachable`."""
        give_up, delay = time.monotonic() + self._patience, FIRST_DELAY
        while file is not None or not self._waiting.empty():
            try:
                line.open()
            except Unreachable as error:
                if self._stop.is_set() or not self._may_come(error) or time.monotonic() + delay > give_up:
                    raise
                self._report.waiting(f"{self._target} accepts no association: {error}")
                self._stop.wait(delay)
                delay = min(2 * delay, LONGEST_DELAY)
            else:
                self._reached.set()
                if delay > FIRST_DELAY:
                    self._report.waiting("")
                return

    def _may_come(self, error: Unreachable) -> bool:
        return error.passing or (error.passing is None and self._reached.is_set())
