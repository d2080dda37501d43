"""Trains a job's model: its starting weights, its progress, the accuracy after each epoch, its checkpoints."""

import copy
import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.weights import find
from mskmodel.registry import Registry, read_manifest
from mskmodel.registry.decision import Decision
from mskmodel.training import loop
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.parallel import Team
from mskmodel.versions.conversion import logits_of, model_of_version
from mskmodel.whole_file import write_whole
from workers.jobs.giving_way import GivingWay
from workers.jobs.patience import until_it_can_be_written, until_there_is_room
from workers.jobs.remembered import CHECKPOINT
from workers.jobs.request import JobRequest
from workers.jobs.run_record import REHEARSAL, JobRun
from workers.jobs.training_data import Data, Plan, joined
from workers.ledger import Ledger

__all__ = ["Callbacks", "Start", "curves", "train"]

#: Pictures that the accuracy after an epoch is taken of, at most; the verdict at the end is on all.
GLANCE = 400
#: In the job's folder.
CURVES = "curves.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Start:
    """Where training starts from, and how it is done."""

    model: AlexNet
    settings: loop.TrainingSettings
    origin: str
    decision: Decision
    """What calibration begins with: the base's, which was made on more than one job's hold-out."""

    @classmethod
    def of(cls, registry: Registry, request: JobRequest, plan: Plan) -> "Start":
        """As it was asked for and planned. Raises RegistryError, WeightsUnavailable."""
        settings = loop.TrainingSettings(
            epochs=request.epochs,
            views=request.views,
            rate=request.rate,
            seed=request.seed,
            threads=plan.threads,
        )
        torch.manual_seed(request.seed)  # of a last layer that starts fresh
        if plan.base is None:
            found = find(None)
            return cls(loop.new_model(plan.classes, settings, found.tensors), settings, found.source, Decision())
        base = registry.find(plan.base)
        model = model_of_version(base, plan.classes)  # first of all: it refuses a damaged version
        manifest = read_manifest(base)
        shape = Architecture.from_json(manifest["architecture"])
        settings = replace(settings, hidden=shape.hidden, ranks=shape.ranks, looks=shape.looks)
        same = tuple(manifest["classes"]) == plan.classes
        decision = Decision(**manifest["decision"]) if same else Decision()
        return cls(model, settings, f"version {plan.base}", decision)


class Callbacks:
    """What the leading process does between steps and epochs: gives way, tells, evaluates, keeps checkpoints."""

    def __init__(self, run: JobRun, ledger: Ledger, settings: loop.TrainingSettings, data: Data, folder: Path) -> None:
        self._run, self._settings, self._data, self._folder = run, settings, data, folder
        self._give_way = GivingWay(ledger, lambda: run.note(phase="giving way to labelling"))
        self.held_out = until_there_is_room(run, lambda: joined(folder / "held-out.npy", data.held_out))
        self._glance = self.held_out.part(np.arange(0, len(self.held_out), math.ceil(len(self.held_out) / GLANCE)))

    def step(self, progress: loop.Progress) -> None:
        """After each step."""
        left = (progress.steps - progress.step) * self._settings.batch / progress.pictures_per_second
        loss, left = round(progress.loss, 4), round(left, 1)
        self._run.note(phase="training", done=progress.step, total=progress.steps, loss=loss, seconds_left=left)
        self._give_way()

    def epoch(self, epoch: loop.Epoch) -> None:
        """After each epoch, first of all the checkpoint."""
        checkpoint = epoch.checkpoint()
        until_it_can_be_written(self._run, lambda: checkpoint.save(self._folder / CHECKPOINT))
        logits = logits_of(copy.deepcopy(epoch.model).cpu(), self._glance, self._data.preprocessing)
        labels = np.minimum(self._glance.labels, logits.shape[1] - 1)
        none = labels == logits.shape[1] - 1
        right = np.where(none, logits.argmax(axis=1), logits[:, :-1].argmax(axis=1)) == labels
        accuracy = float(right.mean())
        curve = until_it_can_be_written(self._run, lambda: self._remember(epoch.number, epoch.loss, accuracy))
        said = f"epoch {epoch.number} of {epoch.epochs}: loss {epoch.loss:.3f}, accuracy on the hold-out {accuracy:.3f}"
        place = REHEARSAL + epoch.number
        now = {"epoch": epoch.number, "accuracy": round(accuracy, 4), "loss": round(epoch.loss, 4)}
        self._run.note(said, place, **now, curve=json.dumps(curve, allow_nan=False))

    def _remember(self, number: int, loss: float, accuracy: float) -> list[tuple[float, float]]:
        """For the report, and for whoever watches; loss and accuracy after each epoch until now."""
        path = self._folder / CURVES
        found = json.loads(path.read_text()) if path.exists() else {}
        write_whole(path, json.dumps(found | {str(number): [loss, accuracy]}, allow_nan=False).encode())
        return [(round(loss, 4), round(accuracy, 4)) for loss, accuracy in zip(*curves(self._folder), strict=True)]


def train(
    start: Start, data: Data, folder: Path, device: torch.device, team: Team, callbacks: Callbacks | None
) -> AlexNet:
    """The trained model. Goes on from the last checkpoint in the job's folder, if there is one."""
    return loop.train(
        start.model,
        data.sources,
        data.preprocessing,
        start.settings,
        report=callbacks.step if callbacks else None,
        device=device,
        after_epoch=callbacks.epoch if callbacks else None,
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


def curves(folder: Path) -> tuple[list[float], list[float]]:
    """Loss and accuracy after each epoch, those of earlier runs too."""
    path = folder / CURVES
    found = json.loads(path.read_text()) if path.exists() else {}
    points = [found[number] for number in sorted(found, key=int)]
    return [loss for loss, _ in points], [accuracy for _, accuracy in points]
