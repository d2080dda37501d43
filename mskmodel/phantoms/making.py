"""A folder of phantoms as DICOM files, with the truth about them beside it."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mskmodel.dicom.writing import CR, DX_PRESENTATION, DX_PROCESSING, Header, write_dx
from mskmodel.phantoms.rendering import Phantom, exposures
from mskmodel.phantoms.requirements import WHAT_IS_NEEDED, RenderingUnavailable
from mskmodel.phantoms.views import TURN
from mskmodel.tables.table import write_table

__all__ = ["TRUTH", "PhantomTruth", "make", "renderers", "write"]

#: Memory that the renderer takes while it opens its OpenGL context; it keeps about 1.8 GB of that.
_BYTES_A_RENDERER = 3_000_000_000
_PR_SET_PDEATHSIG = 1
#: The file in the folder that says what each of the others shows.
TRUTH = "truth.csv"


@dataclass(frozen=True)
class PhantomTruth:
    """A row of the truth. label: a class key, empty for a neighbour; shows: the view's name in any case.

    view_position: the true one, whatever the header has.
    """

    file: str
    label: str
    shows: str
    view_position: str
    side: str
    patient: str
    header_is_right: bool


def make(
    directory: Path,
    count: int,
    seed: int,
    workers: int | None = None,
    names: Sequence[str] = TURN,
    progress: Callable[[int, int], None] | None = None,
    visits: int = 1,
) -> list[PhantomTruth]:
    """Write `count` phantoms, taking the views in turn, and `truth.csv` last; the same seed gives the same files.

    workers: number of processes; if None, one per core, fewer where memory is short. progress: called with the numbers
    of files that are written and wanted. visits: radiographs of each patient, all in one view but with another
    exposure, crop and film. Raises KeyError for an unknown view, RenderingUnavailable where nothing can be rendered,
    OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    patients = [(names[n % len(names)], seed * 1_000_003 + n) for n in range(-(-count // visits))]
    wanted = [(directory, name, number, min(visits, count - n * visits)) for n, (name, number) in enumerate(patients)]
    truth: list[PhantomTruth] = []
    with renderers(workers) as pool:
        for rows in pool.map(_rendered_and_written, wanted):
            truth += rows
            if progress:
                progress(len(truth), count)
    write_table(directory / TRUTH, [column.name for column in fields(PhantomTruth)], map(astuple, truth))
    return truth


@contextmanager
def renderers(workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes that render; workers: as for `make`. Raises RenderingUnavailable, also for a process that ends."""
    with _pool(workers or _processes()) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise RenderingUnavailable(f"the renderer ended its process; {WHAT_IS_NEEDED}") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Spawned: a forked child would share its parent's connection to the renderer."""
    try:
        return ProcessPoolExecutor(workers, get_context("spawn"), _settle)
    except OSError as error:
        raise RenderingUnavailable(f"the renderer needs shared memory (/dev/shm): {error.strerror}") from error


def write(phantom: Phantom, path: Path, visit: int = 1) -> None:
    """Write a phantom as a CR or DX object whose header makes the phantom's claim.

    Phantoms of one seed are one patient, whose visits are half a year apart.
    """
    said = phantom.claim
    kinds = (CR, CR, DX_PRESENTATION, DX_PRESENTATION, DX_PRESENTATION, DX_PROCESSING)
    day = date(2020, 1, 1) + timedelta(days=180 * (visit - 1))
    header = Header(
        identity=f"phantom-{phantom.shows}-{phantom.seed}-{visit}",
        patient_id=_patient(phantom.seed),
        patient_name=f"Phantom^{phantom.shows}",
        date=f"{day:%Y%m%d}",
        body_part=said.body_part,
        view_position=said.view_position,
        laterality=said.laterality,
        pixel_spacing=(round(phantom.pixel_mm, 4),) * 2,
    )
    pixels = phantom.pixels.astype(np.uint8) if phantom.bits <= 8 else phantom.pixels
    sop_class = kinds[np.random.default_rng(phantom.seed).integers(len(kinds))]
    path.write_bytes(
        write_dx(pixels, header=header, bits=phantom.bits, photometric=phantom.photometric, sop_class=sop_class)
    )


def _patient(seed: int) -> str:
    return f"PHANTOM-{seed:07d}"


def _processes() -> int:
    """One per core, but no more than fit into memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(os.cpu_count() or 1, memory // _BYTES_A_RENDERER))


def _settle() -> None:
    """Make this process end with its parent, and discard what Mesa and the renderer print."""
    # A killed parent cannot end its renderers: they would wait for work for ever and keep their memory.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def _rendered_and_written(wanted: tuple[Path, str, int, int]) -> list[PhantomTruth]:
    directory, name, seed, visits = wanted
    truth = []
    for visit, phantom in enumerate(exposures(name, seed, visits), 1):
        file = f"{name}-{seed:07d}-{visit}.dcm"
        write(phantom, directory / file, visit)
        shown = phantom.label, phantom.shows, phantom.position, phantom.side
        truth.append(PhantomTruth(file, *shown, _patient(seed), phantom.claim.correct))
    return truth
