"""One training job from start to end, in a process of its own: `python -m workers.jobs.training_job JOB OWNER`.

Whoever started it watches over it and may kill it at any moment, so what it has done lies in the job's folder of the
registry before it goes on: plan, snapshot, a checkpoint after each epoch. A second run takes up what is there.

Several GPUs are one process each, started by `torchrun`: the first does everything, the others only train.
"""

import copy
import fcntl
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mskmodel.data.dataset import Pictures
from mskmodel.data.patient_key import SiteSecretError
from mskmodel.data.rehearsal import RenderingUnavailable
from mskmodel.data.snapshot import SnapshotError
from mskmodel.judging.gate import Verdict
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.weights import WeightsUnavailable, find
from mskmodel.registry import AnotherServes, Registry, RegistryError, read_manifest
from mskmodel.registry.classifier import Classifier, choose_device
from mskmodel.registry.decision import Decision
from mskmodel.training import loop as training
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.loop import new_model
from mskmodel.training.parallel import Team
from mskmodel.versions.calibration import calibrated
from mskmodel.versions.comparison import beside
from mskmodel.versions.conversion import finished, logits_of, model_of_version, version_of
from mskmodel.versions.version_report import reports
from mskmodel.whole_file import write_whole
from workers.jobs.request import InvalidRequest, JobRequest
from workers.jobs.run import JobRun, Superseded
from workers.jobs.store import AWAITING_APPROVAL, FAILED, PROMOTED, REFUSED, JobStore
from workers.jobs.training_data import Data, Plan, collect, joined
from workers.jobs.yielding import GivingWay, cap_memory, end_with_parent, take_low_priority
from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancError
from workers.settings import Settings

__all__ = ["main"]

#: Pictures that the accuracy after an epoch is taken of, at most; the verdict at the end is on all.
GLANCE = 400
#: In the job's folder.
CHECKPOINT = "checkpoint.safetensors"
CURVES = "curves.json"
#: What ends a job, with a message written for people.
HOPELESS = (InvalidRequest, RegistryError, RenderingUnavailable, SiteSecretError, SnapshotError, WeightsUnavailable)

log = logging.getLogger(__name__)


def main(job_id: str, owner: str) -> None:
    """Do the job, or what is left of it. How it ended is in its record, unless it died."""
    end_with_parent()
    take_low_priority()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    settings = Settings.from_environment()
    _become_one_process_for_each_gpu(settings.device, job_id, owner)
    leads = int(os.environ.get("RANK", "0")) == 0
    run = JobRun(JobStore(settings.broker_url), job_id, owner, leads=leads)
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
        run.finish(FAILED, f"the registry cannot be used: {error}")


def _become_one_process_for_each_gpu(device: str, job_id: str, owner: str) -> None:
    """Where there are several, go on as `torchrun`. MSK_TRAIN_PROCESSES sets how many, to try it without."""
    gpus = torch.cuda.device_count() if device == "auto" else 1
    processes = int(os.environ.get("MSK_TRAIN_PROCESSES") or max(1, gpus))
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        torchrun = ("-P", "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
        os.execv(  # noqa: S606 (torchrun takes the place of this process, under its id)
            sys.executable, (sys.executable, *torchrun, "-m", "workers.jobs.training_job", job_id, owner)
        )


def _do(run: JobRun, settings: Settings) -> None:
    request, registry = run.request(), Registry(settings.models)
    if registry.root is None:
        raise InvalidRequest("the train worker has no model registry: set MSK_MODELS to a folder that all hosts share")
    folder = registry.root / "jobs" / run.id
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = OrthancClient(settings.orthanc_url, settings.orthanc_user, settings.orthanc_password)
    with _turn(folder, run.leads):
        if run.leads and (version := _registered(registry, run.id)):
            _serve(run, registry, request, version)
            return
        plan = Plan.of(folder, registry, request)
        data = collect(run, orthanc, registry, request, plan, folder)
        (folder / "collected").touch()
        device = _device(settings.device)
        team = Team.joined(device)
        start = _Start.of(registry, request, plan)
        watch = _Watch(run, Ledger(settings.broker_url), start.settings, data, folder) if run.leads else None
        model = _train(start, data, folder, device, team, watch)
        team.leave()
        if watch:
            _conclude(run, registry, request, plan, start, data, watch.held_out, model, folder)


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


@dataclass(frozen=True, eq=False)
class _Start:
    """Where training starts from, and how it is done."""

    model: AlexNet
    settings: training.Settings
    origin: str
    decision: Decision
    """What calibration begins with: the base's, which was made on more than one job's hold-out."""

    @classmethod
    def of(cls, registry: Registry, request: JobRequest, plan: Plan) -> "_Start":
        settings = training.Settings(
            epochs=request.epochs,
            views=request.views,
            rate=request.rate,
            seed=request.seed,
            threads=plan.threads,
        )
        torch.manual_seed(request.seed)  # of a last layer that starts fresh
        if plan.base is None:
            found = find(None)
            return cls(new_model(plan.classes, settings, found.tensors), settings, found.source, Decision())
        base = registry.find(plan.base)
        manifest = read_manifest(base)
        shape = Architecture.from_json(manifest["architecture"])
        settings = replace(settings, hidden=shape.hidden, ranks=shape.ranks)
        same = tuple(manifest["classes"]) == plan.classes
        decision = Decision(**manifest["decision"]) if same else Decision()
        return cls(model_of_version(base, plan.classes), settings, f"version {plan.base}", decision)


class _Watch:
    """What the leading process does between steps and epochs: gives way, tells, evaluates, keeps checkpoints."""

    def __init__(self, run: JobRun, ledger: Ledger, settings: training.Settings, data: Data, folder: Path) -> None:
        self._run, self._settings, self._data, self._folder = run, settings, data, folder
        self._give_way = GivingWay(ledger, lambda: run.note(phase="giving way to labelling"))
        self.held_out = joined(folder / "held-out.npy", data.held_out)
        self._glance = self.held_out.part(np.arange(0, len(self.held_out), math.ceil(len(self.held_out) / GLANCE)))

    def step(self, progress: training.Progress) -> None:
        """After each step."""
        left = (progress.steps - progress.step) * self._settings.batch / progress.pictures_per_second
        loss, left = round(progress.loss, 4), round(left, 1)
        self._run.note(phase="training", done=progress.step, total=progress.steps, loss=loss, seconds_left=left)
        self._give_way()

    def epoch(self, epoch: training.Epoch) -> None:
        """After each epoch, first of all the checkpoint."""
        epoch.checkpoint().save(self._folder / CHECKPOINT)
        logits = logits_of(copy.deepcopy(epoch.model).cpu(), self._glance, self._data.preprocessing)
        none = self._glance.labels == logits.shape[1] - 1
        right = np.where(none, logits.argmax(axis=1), logits[:, :-1].argmax(axis=1)) == self._glance.labels
        accuracy = float(right.mean())
        self._remember(epoch.number, epoch.loss, accuracy)
        said = f"epoch {epoch.number} of {epoch.epochs}: loss {epoch.loss:.3f}, accuracy on the hold-out {accuracy:.3f}"
        self._run.note(said, epoch=epoch.number, accuracy=round(accuracy, 4), loss=round(epoch.loss, 4))

    def _remember(self, number: int, loss: float, accuracy: float) -> None:
        """For the report."""
        path = self._folder / CURVES
        found = json.loads(path.read_text()) if path.exists() else {}
        write_whole(path, json.dumps(found | {str(number): [loss, accuracy]}).encode())


def _train(start: _Start, data: Data, folder: Path, device: torch.device, team: Team, watch: _Watch | None) -> AlexNet:
    return training.train(
        start.model,
        data.sources,
        data.preprocessing,
        start.settings,
        report=watch.step if watch else None,
        device=device,
        after_epoch=watch.epoch if watch else None,
        resume=_last_checkpoint(folder / CHECKPOINT),
        team=team,
    )


def _last_checkpoint(path: Path) -> Checkpoint | None:
    if not path.exists():
        return None
    try:
        return Checkpoint.load(path)
    except CheckpointError as error:
        log.warning("checkpoint-damaged, from the beginning: %s", error)
        return None


def _conclude(
    run: JobRun,
    registry: Registry,
    request: JobRequest,
    plan: Plan,
    start: _Start,
    data: Data,
    held_out: Pictures,
    model: AlexNet,
    folder: Path,
) -> None:
    """Judge the model beside the one that is served, keep it, and serve it if it may."""
    run.note("trained; judged on the hold-out", phase="judging")
    model = finished(model, start.settings)
    described = (plan.classes, data.preprocessing, start.settings, data.sources, held_out, start.origin)
    tensors, manifest = version_of(model, *described, decide=partial(calibrated, base=start.decision))
    served = Classifier.load(registry.promoted(), "cpu")
    decision = Decision(**manifest["decision"])
    phantoms = np.repeat([False, True], [len(part) for part in data.held_out])
    comparison = beside(served, model, decision, data.preprocessing, plan.classes, held_out, phantoms)
    manifest |= {"job": run.id, "snapshot": data.digest, "gate": comparison.to_json()}
    kept = reports(manifest, comparison, *_curves(folder), held_out)
    run.commit()
    _serve(run, registry, request, registry.register(tensors, manifest, kept))


def _curves(folder: Path) -> tuple[list[float], list[float]]:
    """Loss and accuracy after each epoch, those of earlier runs too."""
    path = folder / CURVES
    found = json.loads(path.read_text()) if path.exists() else {}
    points = [found[number] for number in sorted(found, key=int)]
    return [loss for loss, _ in points], [accuracy for _, accuracy in points]


def _registered(registry: Registry, job_id: str) -> str | None:
    """The version that came out of an earlier run, which died before it could say so."""
    names = reversed(registry.versions())
    return next((name for name in names if read_manifest(registry.find(name)).get("job") == job_id), None)


def _serve(run: JobRun, registry: Registry, request: JobRequest, version: str) -> None:
    gate = read_manifest(registry.find(version))["gate"]
    verdict = Verdict.from_json(gate)
    reason = f"{verdict.sentence}. All figures: msk models show {version}"
    by_hand = f"Serve it with: msk models promote {version}"
    run.commit()
    if not verdict.passed:
        run.finish(REFUSED, reason, version)
    elif any(entry["version"] == version for entry in registry.history()):
        run.finish(PROMOTED, reason, version)  # by a run that died of it; whatever was done since stays
    elif request.approve:
        run.finish(AWAITING_APPROVAL, f"{reason}. {by_hand}", version)
    else:
        try:
            registry.promote(version, instead_of=gate["against"])
        except AnotherServes as error:
            compare = f"Compare them first: msk models compare {error.served} {version}"
            run.finish(AWAITING_APPROVAL, f"{reason}. But {error}. {compare}. {by_hand}", version)
        else:
            run.finish(PROMOTED, reason, version)


if __name__ == "__main__":
    main(*sys.argv[1:])
