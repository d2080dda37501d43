"""What a training job learns from and is judged on: settled and collected once, then found again by later runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.data.rehearsal import rehearsal
from mskmodel.data.snapshot import MANIFEST, Snapshot
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry, read_manifest
from mskmodel.training.loop import Source
from mskmodel.whole_file import write_whole
from workers.jobs.collecting import collect_snapshot
from workers.jobs.request import JobRequest
from workers.jobs.run import JobRun
from workers.jobs.submission import base_of, check_labels, classes_of
from workers.jobs.yielding import threads
from workers.pacs import OrthancClient

__all__ = ["Data", "Plan", "collect", "joined"]

#: Share of all draws that the instances get where phantoms are rehearsed, at least.
TRUTH_SHARE = 0.5
#: Pictures copied at a time.
_CHUNK = 256


@dataclass(frozen=True)
class Plan:
    """What is settled when a job first begins, so that a later run goes on with the same."""

    base: str | None
    """Name of the version to go on from; None for ImageNet's weights."""
    classes: tuple[str, ...]
    threads: int

    @classmethod
    def of(cls, folder: Path, registry: Registry, request: JobRequest) -> "Plan":
        """The one in the job's folder, made the first time. Raises InvalidRequest."""
        path = folder / "plan.json"
        if path.exists():
            found = json.loads(path.read_text())
            return cls(found["base"], tuple(found["classes"]), found["threads"])
        base = base_of(registry, request)
        plan = cls(read_manifest(base)["version"] if base else None, classes_of(registry, request), threads())
        write_whole(path, json.dumps(asdict(plan)).encode())
        return plan


@dataclass(frozen=True, eq=False)
class Data:
    """Pictures to learn from, and to judge on; ``digest`` is the snapshot's."""

    preprocessing: Preprocessing
    sources: tuple[Source, ...]
    held_out: tuple[Pictures, ...]
    digest: str


def collect(
    run: JobRun, orthanc: OrthancClient, registry: Registry, request: JobRequest, plan: Plan, folder: Path
) -> Data:
    """Snapshot, phantoms, and the hold-out of both; what is there already is not made again.

    Raises:
        InvalidRequest: what is there does not do.
        SnapshotError, SiteSecretError, RenderingUnavailable: it cannot be had.
        OrthancError: Orthanc is away or turns us down.
        Superseded: the run must stop.
    """
    assert registry.root is not None
    preprocessing = _preprocessing(registry, plan)
    snapshot = _snapshot(run, orthanc, registry.root, request, plan, preprocessing, folder / "snapshot")
    rows = [(row.label, row.held_out) for row in snapshot.rows]
    expected = dict.fromkeys(plan.classes, request.minimum) if request.rehearsal else {}
    check_labels(rows, plan.classes, request.minimum, expected)  # before the phantoms, which take minutes
    if request.rehearsal:
        run.note(phase="rehearsal", done=0, total=request.rehearsal)
    rehearsed, held_out = rehearsal(
        registry.root,
        request.rehearsal,
        plan.classes,
        preprocessing,
        plan.threads,
        lambda done, total: run.note(phase="rehearsal", done=done, total=total),
    )
    counts = np.bincount(rehearsed.labels, minlength=len(plan.classes))
    check_labels(rows, plan.classes, request.minimum, dict(zip(plan.classes, counts.tolist(), strict=False)))
    if request.rehearsal:
        run.note(f"{request.rehearsal} phantoms to rehearse")
    truths = snapshot.training()
    share = max(TRUTH_SHARE, len(truths) / (len(truths) + len(rehearsed))) if len(rehearsed) else 1.0
    sources = [Source("truths", truths, share)]
    if len(rehearsed):
        sources.append(Source("rehearsal", rehearsed, 1 - share))
    return Data(preprocessing, tuple(sources), (snapshot.held_out(), held_out), snapshot.digest)


def _preprocessing(registry: Registry, plan: Plan) -> Preprocessing:
    """The base's, so that its weights see what they know."""
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
) -> Snapshot:
    if (directory / MANIFEST).exists():
        return Snapshot(directory)

    def progress(step: str, done: int, total: int) -> None:
        run.note(phase=f"snapshot: {step}", done=done, total=total)

    snapshot = collect_snapshot(orthanc, root, directory, plan.classes, preprocessing, request.instances, progress)
    left_out = f", {len(snapshot.left_out)} left out" if snapshot.left_out else ""
    run.note(f"{len(snapshot.rows)} images, {len(snapshot.held_out_rows)} of them held out{left_out}")
    return snapshot


def joined(path: Path, parts: Sequence[Pictures]) -> Pictures:
    """All of them in order, in a file and not in memory: there may be any number."""
    count = sum(len(part) for part in parts)
    values = np.lib.format.open_memmap(path, "w+", np.uint8, (count, STORED, STORED))
    first = 0
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            some = part.values[start : start + _CHUNK]
            values[first + start : first + start + len(some)] = some
        first += len(part)
    values.flush()
    return Pictures(
        np.load(path, mmap_mode="c", allow_pickle=False),
        np.concatenate([part.extents for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
