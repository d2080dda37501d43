"""The demo: phantoms of every class and real radiographs travel into Orthanc and come back labelled."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mskmodel.labels import BY_KEY, KEYS
from workers.orthanc_client import OrthancClient
from workers.outcome import FAILED, LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, Outcome
from workers.stack.errors import StackError

__all__ = ["Radiograph", "follow", "phantoms", "real_radiographs", "store", "summary", "table"]

#: Real CR files that `pydicom-data` carries, and what is on them: none of the classes.
REAL = {
    "RG1_UNCR.dcm": "chest",
    "RG1_J2KR.dcm": "chest, JPEG 2000",
    "RG3_UNCR.dcm": "lower leg",
    "RG3_J2KR.dcm": "lower leg, JPEG 2000",
}

#: Seconds between two looks at Orthanc's metadata, which nobody tells us about.
INTERVAL = 0.1

COLOURS = {LABELLED: "green", NEEDS_REVIEW: "yellow", SKIPPED: "yellow", FAILED: "red"}


@dataclass
class Radiograph:
    """One radiograph on its way."""

    file: Path
    shows: str
    """Where it comes from and what is on it, in words."""
    truth: str | None
    """The class that it belongs to; None where it belongs to none, and the model should abstain."""
    instance_id: str | None = None
    stored: float | None = None
    """When Orthanc had acknowledged the store, seconds since the epoch."""
    outcome: Outcome | None = None

    @property
    def right(self) -> bool:
        """Whether the label is the truth, or the model abstains where it should."""
        if self.outcome is None:
            return False
        return self.outcome.label == self.truth if self.truth else self.outcome.status == NEEDS_REVIEW

    @property
    def milliseconds(self) -> float | None:
        """From the acknowledged store to the label; None where there is none, or an earlier demo had it labelled."""
        if self.outcome is None or self.stored is None:
            return None
        waited = (datetime.fromisoformat(self.outcome.labelled_at).timestamp() - self.stored) * 1000
        return waited if waited > 0 else None


def phantoms(folder: Path, count: int, seed: int, log: Path, progress: Callable[[int, int], None]) -> list[Radiograph]:
    """Render `count` phantoms of each class into `folder`, on all cores; `progress(done, of)` is told.

    What the renderer writes to its standard output goes to `log`.

    Raises:
        RenderingUnavailable: a library for it is missing.
    """
    wanted = [(folder, key, seed + number) for number in range(count) for key in KEYS]
    made: list[Radiograph] = []
    # Spawned: a forked child would share its parent's connection to the renderer.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _hush, (folder, log)) as pool:
        for (_, key, _), file in zip(wanted, pool.map(_write_phantom, wanted), strict=True):
            made.append(Radiograph(file, f"phantom, {BY_KEY[key].display}", key))
            progress(len(made), len(wanted))
    return made


def _hush(folder: Path, log: Path) -> None:
    """Keep what the renderer's native libraries write off the terminal and the current folder."""
    os.chdir(folder)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _write_phantom(wanted: tuple[Path, str, int]) -> Path:
    from mskmodel.dicom_writing import Header, write_dx
    from mskmodel.phantoms.rendering import render

    folder, key, seed = wanted
    phantom = render(key, seed)
    header = Header(
        identity=f"demo-{key}-{seed}",
        label=BY_KEY[key],
        laterality=phantom.side,
        pixel_spacing=(phantom.pixel_mm, phantom.pixel_mm),
    )
    file = folder / f"{key}-{seed}.dcm"
    file.write_bytes(write_dx(phantom.pixels, header=header, bits=phantom.bits, photometric=phantom.photometric))
    return file


def real_radiographs() -> list[Radiograph]:
    """The CR files of `pydicom-data`, from this machine's disk.

    Raises:
        StackError: it is not installed.
    """
    from pydicom.data import get_testdata_file

    found = {name: get_testdata_file(name, download=False) for name in REAL}
    if missing := [name for name, file in found.items() if file is None]:
        raise StackError(f"{', '.join(missing)} not found; install: pip install pydicom-data")
    return [Radiograph(Path(str(file)), f"real, {REAL[name]}", None) for name, file in found.items()]


def store(radiographs: Sequence[Radiograph], orthanc: OrthancClient, state: Mapping[str, Any]) -> None:
    """Send the radiographs over DICOM, one after the other, and note when each was acknowledged.

    Raises:
        StackError: Orthanc does not take them.
    """
    from pydicom import dcmread
    from pynetdicom import AE

    server, entity = state["orthanc"], AE("MSKDEMO")
    datasets = [dcmread(radiograph.file) for radiograph in radiographs]
    for sop_class, syntax in sorted({(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in datasets}):
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(server["dicom_host"], server["dicom_port"], ae_title=server["dicom_aet"])
    if not association.is_established:
        raise StackError(f"Orthanc takes no DICOM on port {server['dicom_port']}")
    try:
        for radiograph, ds in zip(radiographs, datasets, strict=True):
            status = association.send_c_store(ds)
            if status.get("Status") != 0:
                raise StackError(f"Orthanc did not store {radiograph.file.name}: status {status.get('Status')}")
            radiograph.stored = time.time()
            radiograph.instance_id = orthanc.lookup(ds.SOPInstanceUID)
    finally:
        association.release()


def follow(radiographs: Sequence[Radiograph], orthanc: OrthancClient, patience: float) -> Iterator[None]:
    """Read back what became of the radiographs; yields after each look, ends when all have an outcome.

    Ends early when nothing has changed for `patience` seconds.
    """
    changed = time.monotonic()
    while any(radiograph.outcome is None for radiograph in radiographs):
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


def summary(radiographs: Sequence[Radiograph]) -> str:
    """One line: how many ended how, and how many of them rightly."""
    ended = Counter(r.outcome.status for r in radiographs if r.outcome)
    parts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    right = sum(r.right for r in radiographs)
    return f"{ended.total()} of {len(radiographs)} in the ledger: {parts}; {right} right"
