"""What a training job learns from and is judged on: fixed and collected once, then reused by later runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.exemplars import read_exemplars
from mskmodel.data.rehearsal import rehearsal
from mskmodel.data.snapshot import MANIFEST, Snapshot
from mskmodel.dicom.radiograph_kinds import RadiographKinds
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry, read_manifest
from mskmodel.versions.learning import Lessons
from mskmodel.whole_file import write_whole
from workers.corrections.finding import Progress
from workers.jobs.archive_sample import archive_sample
from workers.jobs.giving_way import threads
from workers.jobs.request import JobRequest
from workers.jobs.run_record import REHEARSAL, SNAPSHOT, JobRun
from workers.jobs.snapshot_collecting import collect_snapshot
from workers.jobs.submission import base_of, check_labels, classes_of, others_of
from workers.pacs import OrthancClient

__all__ = ["Data", "Plan", "collect", "joined"]

#: Pictures copied at a time.
_CHUNK = 256


@dataclass(frozen=True)
class Plan:
    """What is fixed when a job first starts, so that later runs continue with the same."""

    base: str | None
    """Name of the version to continue from; None for ImageNet weights."""
    classes: tuple[str, ...]
    threads: int
    others: tuple[str, ...] = ()
    """Kinds of none of the classes that the base tells apart."""

    @property
    def keys(self) -> tuple[str, ...]:
        """What the labels of pictures are numbered by; the number after them is none of known kind."""
        return (*self.classes, *self.others)

    @classmethod
    def of(cls, folder: Path, registry: Registry, request: JobRequest) -> "Plan":
        """The plan in the job's folder, made by the first run. Raises InvalidRequest."""
        path = folder / "plan.json"
        if path.exists():
            found = json.loads(path.read_text())
            return cls(found["base"], tuple(found["classes"]), found["threads"], tuple(found.get("others", ())))
        base = base_of(registry, request)
        name = read_manifest(base)["version"] if base else None
        plan = cls(name, classes_of(registry, request), threads(), others_of(registry, request))
        write_whole(path, json.dumps(asdict(plan), allow_nan=False).encode())
        return plan


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures to learn from and to judge on, and a sample of the archive; ``digest`` is the snapshot's."""

    preprocessing: Preprocessing
    lessons: Lessons
    archive: Pictures
    digest: str


def collect(
    run: JobRun,
    orthanc: OrthancClient,
    registry: Registry,
    request: JobRequest,
    plan: Plan,
    folder: Path,
    kinds: RadiographKinds,
) -> Data:
    """Collect the snapshot, what is rehearsed, and a sample of the archive; existing parts are reused.

    Raises:
        InvalidRequest: the images do not suffice to learn from and to judge on, or have other labels than the classes.
        SnapshotError, SiteSecretError, RenderingUnavailable: the snapshot or the phantoms cannot be made.
        OrthancError: Orthanc does not answer or refuses the request.
        Superseded: the run must stop.
    """
    assert registry.root is not None
    preprocessing = _preprocessing(registry, plan)
    snapshot = _snapshot(run, orthanc, registry.root, request, plan, preprocessing, folder / "snapshot", kinds)
    rows = [(row.label, row.patient) for row in snapshot.rows]
    expected = dict.fromkeys(plan.classes, request.minimum) if request.rehearsal else {}
    # before the phantoms, which take minutes
    check_labels(rows, plan.classes, request.minimum, expected, plan.others)
    if request.rehearsal:
        run.note(phase="rehearsal", done=0, total=request.rehearsal)
    phantoms = rehearsal(
        registry.root,
        request.rehearsal,
        plan.keys,
        preprocessing,
        plan.threads,
        lambda done, total: run.note(phase="rehearsal", done=done, total=total),
    )
    counts = np.bincount(phantoms.labels, minlength=len(plan.classes))
    counted = dict(zip(plan.classes, counts.tolist(), strict=False))
    check_labels(rows, plan.classes, request.minimum, counted, plan.others)
    exemplars = Pictures.framed([], [], plan.keys)
    if request.rehearsal:
        exemplars = read_exemplars(plan.keys, preprocessing)
        run.note(f"{request.rehearsal} phantoms and {len(exemplars)} exemplars to rehearse", REHEARSAL)
    patients = [row.patient for row in snapshot.rows]
    lessons = Lessons.of(snapshot.pictures, patients, phantoms, exemplars)
    archive = archive_sample(
        orthanc, registry.root, folder / "archive.npz", preprocessing, request.seed, _told(run), kinds
    )
    return Data(preprocessing, lessons, archive, snapshot.digest)


def _told(run: JobRun) -> Progress:
    def progress(step: str, done: int, total: int) -> None:
        run.note(phase=f"snapshot: {step}", done=done, total=total)

    return progress


def _preprocessing(registry: Registry, plan: Plan) -> Preprocessing:
    """The base's preprocessing, since its weights were trained with it."""
    if plan.base is None:
        return Preprocessing()
    return Preprocessing.from_json(read_manifest(registry.find(plan.base))["preprocessing"])


def _snapshot(
    run: JobRun,
    orthanc: OrthancClient,
    root: Path,
    request: JobRequest,
    plan: Plan,
    preprocessing: Preprocessing,
    directory: Path,
    kinds: RadiographKinds,
) -> Snapshot:
    if (directory / MANIFEST).exists():
        return Snapshot(directory)

    snapshot = collect_snapshot(
        orthanc, root, directory, plan.keys, preprocessing, request.instances, _told(run), kinds
    )
    left_out = f", {len(snapshot.left_out)} left out" if snapshot.left_out else ""
    patients = len({row.patient for row in snapshot.rows})
    run.note(f"{len(snapshot.rows)} images of {patients} patients to learn from{left_out}", SNAPSHOT)
    return snapshot


def joined(path: Path, parts: Sequence[Pictures]) -> Pictures:
    """All pictures in order, mapped from a file, since they may not fit into memory."""
    count = sum(len(part) for part in parts)
    # Written, not mapped: on a full disk, a growing memory map ends the process instead of raising an error.
    with path.open("wb") as file:
        shape = (count, STORED, STORED)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for part in parts:
            for start in range(0, len(part), _CHUNK):
                file.write(np.ascontiguousarray(part.values[start : start + _CHUNK]).data)
    return Pictures(
        np.load(path, mmap_mode="c", allow_pickle=False),
        np.concatenate([part.extents for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
