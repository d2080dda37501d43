"""One training job from start to end, in a process of its own: `python -m workers.jobs.training_job JOB OWNER PARENT`.

The process that started it watches it and may kill it at any moment. So each step is kept in the job's folder of the
registry before the next begins: plan, snapshot, a checkpoint after each epoch, each run of the training. A later
process goes on from there.

Each of several GPUs has a process of its own, started by `torchrun`: the first does everything, the others only train.
"""

import fcntl
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.data.patient_key import SiteSecretError
from mskmodel.data.rehearsal import RenderingUnavailable
from mskmodel.data.snapshot import SnapshotError
from mskmodel.judging.gate import Verdict
from mskmodel.network.weights import WeightsUnavailable
from mskmodel.registry import AnotherServes, NotANumber, Registry, RegistryError, read_manifest
from mskmodel.registry.classifier import Classifier, choose_device
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Diverged
from mskmodel.training.parallel import Team
from mskmodel.versions.beside import beside
from mskmodel.versions.comparison import Comparison, ComparisonError, Said
from mskmodel.versions.conversion import version_of
from mskmodel.versions.learning import FOLDS, decided, learned
from mskmodel.versions.version_report import reports
from workers.jobs.giving_way import cap_memory, take_low_priority
from workers.jobs.learning import Callbacks, Start, curves, train, trained_runs
from workers.jobs.patience import is_full, until_it_can_be_written, until_there_is_room, why_not_written
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.run_record import REHEARSAL, JobRun, Superseded
from workers.jobs.store import AWAITING_APPROVAL, FAILED, PROMOTED, REFUSED, JobStore
from workers.jobs.training_data import Data, Plan, collect, joined
from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancError
from workers.settings import Settings
from workers.supervision.end_with_parent import end_with_parent

__all__ = ["main"]

#: What ends a job, with a message written for people.
HOPELESS = (
    Diverged,
    InvalidRequest,
    NotANumber,
    RegistryError,
    RenderingUnavailable,
    SiteSecretError,
    SnapshotError,
    WeightsUnavailable,
)

log = logging.getLogger(__name__)


def main(job_id: str, owner: str, parent: str) -> None:
    """Run the job from where an earlier run of it ended. The result is in its record, unless this process is killed.

    Args:
        parent: id of the process that started this one, and whose end this one does not outlive.
    """
    end_with_parent(int(parent))
    take_low_priority()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    settings = Settings.from_environment()
    _become_one_process_for_each_gpu(settings.device, job_id, owner)
    leads = int(os.environ.get("RANK", "0")) == 0
    run = JobRun(JobStore.of(settings), job_id, owner, leads=leads)
    try:
        _do(run, settings)
    except Superseded:
        log.info("job-superseded job=%s", job_id)
    except OrthancError as error:
        run.give_back(f"{error}; it is tried again")
    except HOPELESS as error:
        run.finish(FAILED, str(error))
    except (MemoryError, torch.OutOfMemoryError) as error:
        run.finish(FAILED, f"it needs more memory than there is: {error}")
    except OSError as error:
        if is_full(error):
            run.give_back(why_not_written(error))
        else:
            run.finish(FAILED, why_not_written(error))


def _become_one_process_for_each_gpu(device: str, job_id: str, owner: str) -> None:
    """Go on as `torchrun` if there are several. MSK_TRAIN_PROCESSES sets the number, to try it without GPUs."""
    gpus = torch.cuda.device_count() if device == "auto" else 1
    processes = int(os.environ.get("MSK_TRAIN_PROCESSES") or max(1, gpus))
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        torchrun = ("-P", "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
        os.execv(  # noqa: S606 (torchrun takes the place of this process, under its id)
            sys.executable,
            (sys.executable, *torchrun, "-m", "workers.jobs.training_job", job_id, owner, str(os.getpid())),
        )


def _do(run: JobRun, settings: Settings) -> None:
    request, registry = run.request(), Registry(settings.models)
    if registry.root is None:
        raise InvalidRequest("the train worker has no model registry: set MSK_MODELS to a folder that all hosts share")
    folder = registry.root / "jobs" / run.id
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = OrthancClient.of(settings)
    with _turn(folder, run.leads):
        if run.leads and (version := _registered(registry, run.id)):
            _promote_or_refuse(run, registry, request, version)
            return
        plan = until_there_is_room(run, lambda: Plan.of(folder, registry, request))
        data = until_there_is_room(run, lambda: collect(run, orthanc, registry, request, plan, folder, settings.kinds))
        until_there_is_room(run, (folder / "collected").touch)
        device = _device(settings.device)
        team = Team.joined(device)
        start = Start.of(registry, request, plan)
        callbacks = Callbacks(run, Ledger.of(settings), start.settings, data, folder) if run.leads else None
        train(start, data, folder, device, team, callbacks)
        team.leave()
        if callbacks:
            _conclude(run, settings, registry, request, plan, start, data, folder)


@contextmanager
def _turn(folder: Path, leads: bool) -> Iterator[None]:
    """Wait until it is this process's turn.

    The leading one waits for the end of an earlier run on this host that has yet to notice that it is superseded,
    the others until that one has collected what they train on.
    """
    with (folder / "lock").open("a") as lock:
        if leads:
            fcntl.flock(lock, fcntl.LOCK_EX)
        while not leads and not (folder / "collected").exists():
            time.sleep(0.2)
        yield


def _device(name: str) -> torch.device:
    device = choose_device(name)
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    cap_memory(device)
    return device


def _conclude(
    run: JobRun,
    settings: Settings,
    registry: Registry,
    request: JobRequest,
    plan: Plan,
    start: Start,
    data: Data,
    folder: Path,
) -> None:
    """Make a version of the runs, compare it with the served one, register it, and serve it if the gate lets it."""
    lessons, prepare = data.lessons, data.preprocessing
    place = REHEARSAL + FOLDS * request.epochs + 1
    run.note("trained; judged on what each run has not seen", place, phase="judging")
    made = learned(
        start.model,
        trained_runs(folder),
        lessons,
        start.settings,
        prepare,
        keeps=start.keeps,
        report=lambda done, total: run.note(phase="judging", done=done, total=total),
    )
    before = Classifier.load(registry.origin_of(registry.promoted()), "cpu")
    wanted = settings.none_labelled, settings.labels_right
    point = decided(made, lessons, data.archive, before, start.decision, prepare, plan.classes, *wanted)
    parts = lessons.corrections, lessons.phantoms
    judged = until_there_is_room(run, lambda: joined(folder / "judged.npy", parts))
    described = (plan.classes, prepare, start.settings, lessons.sources(), judged, start.origin)
    tensors, manifest = version_of(
        made.model, *described, decide=lambda *_: point.decision, others=plan.others, logits=made.logits
    )
    comparison = _compared(registry, made.logits, point.decision, plan, judged, len(lessons.corrections))
    manifest |= {"job": run.id, "snapshot": data.digest, "gate": comparison.to_json()}
    manifest |= {"operating_point": point.to_json()}
    kept = reports(manifest, comparison, *curves(folder), judged)

    def try_it(version: Path) -> None:
        Classifier.load(version, "cpu")
        run.commit()

    version = until_it_can_be_written(run, lambda: registry.register(tensors, manifest, kept, try_it))
    _promote_or_refuse(run, registry, request, version)


def _compared(
    registry: Registry, logits: NDArray[np.float32], decision: Decision, plan: Plan, judged: Pictures, corrections: int
) -> Comparison:
    """With the served version; pictures of which that one learned are judged by the answers that are kept with it."""
    directory = registry.promoted()
    served = Classifier.load(directory, "cpu")
    said = None
    with suppress(ComparisonError):
        said = Said.load(directory, served.version)
    return beside(served, logits, decision, plan.classes, judged, np.arange(len(judged)) >= corrections, said)


def _registered(registry: Registry, job_id: str) -> str | None:
    """The version that an earlier run registered before it was killed."""
    for name in reversed(registry.versions()):
        with suppress(RegistryError):  # another version may be damaged
            if read_manifest(registry.find(name)).get("job") == job_id:
                return name
    return None


def _promote_or_refuse(run: JobRun, registry: Registry, request: JobRequest, version: str) -> None:
    gate = read_manifest(registry.find(version))["gate"]
    verdict = Verdict.from_json(gate)
    reason = f"{verdict.sentence}. All figures: msk models show {version}"
    by_hand = f"Serve it with: msk models promote {version}"
    run.commit()
    if not verdict.passed:
        run.finish(REFUSED, reason, version)
    elif any(entry["version"] == version for entry in registry.history()):
        run.finish(PROMOTED, reason, version)  # by an earlier run; what was promoted since then stays
    elif request.approve:
        run.finish(AWAITING_APPROVAL, f"{reason}. {by_hand}", version)
    else:
        try:
            until_it_can_be_written(run, lambda: registry.promote(version, instead_of=gate["against"]))
        except AnotherServes as error:
            compare = f"Compare them first: msk models compare {error.served} {version}"
            run.finish(AWAITING_APPROVAL, f"{reason}. But {error}. {compare}. {by_hand}", version)
        else:
            run.finish(PROMOTED, reason, version)


if __name__ == "__main__":
    main(*sys.argv[1:])
