"""The demo: phantoms of every class and real radiographs are sent to Orthanc, and come back labelled."""

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mskmodel.labels import BY_KEY, KEYS
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.pacs import OrthancClient
from workers.stack.errors import StackError
from workers.viewer.installing import installed_pages

__all__ = [
    "Radiograph",
    "as_dict",
    "comparisons",
    "follow",
    "phantoms",
    "real_radiographs",
    "store",
    "summary",
    "table",
    "visits",
]

#: Real CR files that `pydicom-data` carries: what is on them, and the label; None for none of the classes.
REAL = {
    "RG1_UNCR.dcm": ("chest", None),
    "RG1_J2KR.dcm": ("chest, JPEG 2000", None),
    "RG3_UNCR.dcm": ("lower leg", "lower_leg"),
    "RG3_J2KR.dcm": ("lower leg, JPEG 2000", "lower_leg"),
}

#: Seconds between two polls of Orthanc's metadata, of whose changes Orthanc does not notify.
INTERVAL = 0.1

COLOURS = {LABELLED: "green", NEEDS_REVIEW: "yellow", SKIPPED: "yellow", FAILED: "red"}


@dataclass
class Radiograph:
    """One radiograph, and what is known of it so far."""

    file: Path
    shows: str
    """Where it comes from and what is on it, in words."""
    truth: str | None
    """The class that it belongs to; None where it belongs to none, and the model should abstain."""
    comparable: str | None = None
    """Study Instance UID, of a study that has an earlier one to be compared with."""
    instance_id: str | None = None
    sent: float | None = None
    """When this demo began to send, seconds since the epoch."""
    stored: float | None = None
    """When Orthanc had acknowledged the store, seconds since the epoch."""
    refused: str | None = None
    """Why Orthanc did not store it."""
    outcome: Outcome | None = None

    @property
    def right(self) -> bool:
        """Whether the label is the truth, or the model abstains where it should."""
        if self.outcome is None:
            return False
        return self.outcome.label == self.truth if self.truth else self.outcome.status == NEEDS_REVIEW

    @property
    def earlier(self) -> bool:
        """Whether it was labelled before this demo sent it: Orthanc keeps a file that it has, and its outcome."""
        return self.outcome is not None and self.sent is not None and _labelled(self.outcome) < self.sent

    @property
    def milliseconds(self) -> float | None:
        """From the acknowledged store to the label, 0 if the label came first; None without one, or if `earlier`."""
        if self.outcome is None or self.stored is None or self.earlier:
            return None
        return max(0.0, (_labelled(self.outcome) - self.stored) * 1000)


def _labelled(outcome: Outcome) -> float:
    """Seconds since the epoch."""
    return datetime.fromisoformat(outcome.labelled_at).timestamp()


def phantoms(folder: Path, count: int, seed: int, log: Path, progress: Callable[[int, int], None]) -> list[Radiograph]:
    """Render `count` phantoms of each class into `folder`, on all cores; calls `progress(done, of)`.

    Messages of the renderer's native libraries go to `log`.

    Raises:
        RenderingUnavailable: a library for it is missing.
    """
    from mskmodel.phantoms.making import make

    with _errors_to(log):
        made = make(folder, count * len(KEYS), seed, names=KEYS, progress=progress)
    return [Radiograph(folder / row.file, f"phantom, {BY_KEY[row.label].display}", row.label) for row in made]


def visits(folder: Path, seed: int, log: Path, progress: Callable[[int, int], None]) -> list[Radiograph]:
    """Render patients who come twice, in a folder below; as `phantoms`."""
    from mskmodel.phantoms.visits import make_visits

    below = folder / "visits"
    below.mkdir()
    with _errors_to(log):
        made = make_visits(below, seed, date.today(), progress)
    when = ("14 months ago", "today")
    return [
        Radiograph(
            row.file, f"{BY_KEY[row.label].display}, {when[row.visit]}", row.label, row.study if row.visit else None
        )
        for row in made
    ]


def comparisons(radiographs: Iterable[Radiograph], gateway: str) -> str:
    """Where patients who came twice are looked at. ``gateway``: its address."""
    studies = dict.fromkeys(radiograph.comparable for radiograph in radiographs if radiograph.comparable)
    chosen = os.environ.get("MSK_VIEWER")
    in_viewer = installed_pages(Path(chosen) if chosen else None) is not None
    lines = ["  Two patients came twice; the later study, with the earlier one as its prior:"]
    for study in studies:
        lines.append(f"  {gateway}/studies/{study}")
        if in_viewer:
            lines.append(f"  {gateway}/studies/{study}/viewer  hangs both in OHIF")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _errors_to(log: Path) -> Iterator[None]:
    """Redirect the standard error of this process, and of processes that it starts, to a file."""
    terminal = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def real_radiographs() -> list[Radiograph]:
    """The CR files of `pydicom-data`, from this machine's disk.

    Raises:
        StackError: it is not installed.
    """
    from pydicom.data import get_testdata_file

    found = {name: get_testdata_file(name, download=False) for name in REAL}
    if missing := [name for name, file in found.items() if file is None]:
        raise StackError(f"{', '.join(missing)} not found; install: pip install pydicom-data")
    return [Radiograph(Path(str(file)), f"real, {REAL[name][0]}", REAL[name][1]) for name, file in found.items()]


def store(radiographs: Sequence[Radiograph], orthanc: OrthancClient, state: Mapping[str, Any]) -> None:
    """Send the radiographs over DICOM; note the instance and the time of each store, or why it failed.

    Raises:
        SendError: Orthanc accepts no association.
    """
    from workers.pacs.send import STORED, Sent, Target, send

    by_file = {radiograph.file: radiograph for radiograph in radiographs}
    began = time.time()
    for radiograph in radiographs:
        radiograph.sent = began

    def note(sent: Sent) -> None:
        radiograph = by_file[sent.path]
        if sent.status == STORED:
            radiograph.stored = sent.at
            radiograph.instance_id = orthanc.lookup(sent.sop_instance_uid)
        else:
            radiograph.refused = sent.reason

    send([radiograph.file for radiograph in radiographs], Target.of_state(state, "MSKDEMO"), on_result=note)


def follow(radiographs: Sequence[Radiograph], orthanc: OrthancClient, patience: float) -> Iterator[None]:
    """Poll the outcomes of the radiographs; yields after each poll, ends when all have one.

    Ends early when nothing has changed for `patience` seconds.
    """
    changed = time.monotonic()
    while any(radiograph.outcome is None and radiograph.refused is None for radiograph in radiographs):
        waiting = {r.instance_id: r for r in radiographs if r.instance_id and r.outcome is None}
        for instance_id, metadata in orthanc.metadata_of(list(waiting)).items():
            if PREDICTION in metadata:
                waiting[instance_id].outcome = Outcome.from_json(metadata[PREDICTION])
                changed = time.monotonic()
        yield
        if time.monotonic() - changed > patience:
            return
        time.sleep(INTERVAL)
    yield


def table(radiographs: Iterable[Radiograph]) -> Table:
    """What is known of each radiograph so far."""
    shown = Table("Instance", "Radiograph", "Header", "Label", "Conf.", "ms", "Status", box=None)
    for column in shown.columns[:-1]:
        column.no_wrap = True
    shown.columns[4].justify = shown.columns[5].justify = "right"
    for radiograph in radiographs:
        shown.add_row((radiograph.instance_id or "")[:8], radiograph.shows, *_found(radiograph))
    return shown


def _found(radiograph: Radiograph) -> tuple[str | Text, ...]:
    """Header, label, confidence, milliseconds, status."""
    outcome = radiograph.outcome
    if outcome is None:
        if radiograph.refused:
            return ("", "", "", "", Text(f"not stored: {radiograph.refused}", "red"))
        return ("", "", "", "", Text("stored" if radiograph.stored else "", "dim"))
    waited = radiograph.milliseconds
    header = " ".join(filter(None, (outcome.header.get("body_part"), outcome.header.get("view_position"))))
    label = Text(outcome.label or "-", "green" if radiograph.right else "red")
    confidence = "" if outcome.confidence is None else f"{outcome.confidence:.0%}"
    status = f"{outcome.status}: {outcome.reason}" if outcome.reason else outcome.status
    return (
        header or "-",
        label,
        confidence,
        "-" if waited is None else f"{waited:.0f}",
        Text(status, COLOURS.get(outcome.status, "white")),
    )


def as_dict(radiograph: Radiograph) -> dict[str, Any]:
    """A row of the table as JSON shows it."""
    return {
        "instance": radiograph.instance_id,
        "shows": radiograph.shows,
        "truth": radiograph.truth,
        "right": radiograph.right,
        "milliseconds": radiograph.milliseconds,
        "refused": radiograph.refused,
        "outcome": radiograph.outcome and json.loads(radiograph.outcome.to_json()),
    }


def summary(radiographs: Sequence[Radiograph]) -> str:
    """Counts: outcomes by status, how many of them are right, and how many are older than this demo."""
    ended = Counter(r.outcome.status for r in radiographs if r.outcome)
    parts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    right = sum(r.right for r in radiographs)
    line = f"{ended.total()} of {len(radiographs)} have an outcome: {parts}; {right} right"
    if earlier := sum(r.earlier for r in radiographs):
        line += f"\n{earlier} were stored and labelled by an earlier demo; --data NEWFOLDER starts empty"
    return line
