"""Trains a job's runs: their starting weights, their progress, the accuracy after each epoch, what is kept."""

import copy
import json
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mskmodel.data.dataset import Pictures
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.weights import find
from mskmodel.registry import STARTED_FROM, Registry, read_manifest
from mskmodel.registry.decision import Decision
from mskmodel.training import loop
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.parallel import Team
from mskmodel.versions.conversion import logits_of, model_of_version, tensors_of
from mskmodel.versions.learning import FOLDS, SETTINGS, settings_of_run
from mskmodel.whole_file import write_whole
from workers.jobs.giving_way import GivingWay
from workers.jobs.patience import until_it_can_be_written
from workers.jobs.remembered import CHECKPOINT
from workers.jobs.request import JobRequest
from workers.jobs.run_record import REHEARSAL, JobRun
from workers.jobs.training_data import Data, Plan
from workers.ledger import Ledger

__all__ = ["Callbacks", "Start", "curves", "train", "trained_runs"]

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
    """From which the new version's departs as far as the images say: the base's, if that has the same classes."""
    keeps: bool
    """Whether the model knows these classes already."""

    @classmethod
    def of(cls, registry: Registry, request: JobRequest, plan: Plan) -> "Start":
        """As it was asked for and planned. Raises RegistryError, WeightsUnavailable."""
        settings = replace(
            SETTINGS,
            epochs=request.epochs,
            views=request.views,
            rate=request.rate,
            seed=request.seed,
            threads=plan.threads,
        )
        torch.manual_seed(request.seed)  # of a last layer that starts fresh
        if plan.base is None:
            found = find(None)
            model = loop.new_model(plan.classes, settings, found.tensors)
            return cls(model, settings, found.source, Decision(), keeps=False)
        base = registry.find(plan.base)
        model = model_of_version(base, plan.classes)  # first of all: it refuses a damaged version
        manifest = read_manifest(base)
        shape = Architecture.from_json(manifest["architecture"])
        settings = replace(settings, hidden=shape.hidden, ranks=shape.ranks, looks=shape.looks)
        same = tuple(manifest["classes"]) == plan.classes
        decision = Decision(**manifest["decision"]) if same else Decision()
        return cls(model, settings, f"{STARTED_FROM}{plan.base}", decision, keeps=same)


class Callbacks:
    """What the leading process does between steps and epochs: gives way, tells, evaluates, keeps what is trained."""

    def __init__(self, run: JobRun, ledger: Ledger, settings: loop.TrainingSettings, data: Data, folder: Path) -> None:
        self._run, self._settings, self._data, self._folder = run, settings, data, folder
        self._give_way = GivingWay(ledger, lambda: run.note(phase="giving way to labelling"))

    def step(self, fold: int, progress: loop.Progress) -> None:
        """After each step of the run of a fold."""
        done, total = fold * progress.steps + progress.step, FOLDS * progress.steps
        left = (total - done) * self._settings.batch / progress.pictures_per_second
        loss, left = round(progress.loss, 4), round(left, 1)
        self._run.note(phase="training", done=done, total=total, loss=loss, seconds_left=left)
        self._give_way()

    def epoch(self, fold: int, epoch: loop.Epoch) -> None:
        """After each epoch of the run of a fold, first of all the checkpoint."""
        number, total = fold * epoch.epochs + epoch.number, FOLDS * epoch.epochs
        checkpoint = replace(epoch.checkpoint(), epoch=number)
        until_it_can_be_written(self._run, lambda: checkpoint.save(self._folder / CHECKPOINT))
        accuracy = self._accuracy(fold, epoch.model)
        curve = until_it_can_be_written(self._run, lambda: self._remember(number, epoch.loss, accuracy))
        said = f"epoch {number} of {total}: loss {epoch.loss:.3f}, accuracy on what it has not seen {accuracy:.3f}"
        values = {"epoch": number, "epochs": total, "accuracy": round(accuracy, 4), "loss": round(epoch.loss, 4)}
        self._run.note(said, REHEARSAL + number, **values, curve=json.dumps(curve, allow_nan=False))

    def trained(self, fold: int, model: AlexNet) -> None:
        """After the run of a fold."""
        weights = {f"model.{name}": tensor for name, tensor in tensors_of(model).items()}
        kept = Checkpoint(self._settings.epochs, weights)
        until_it_can_be_written(self._run, lambda: kept.save(_run_of(self._folder, fold)))

    def _accuracy(self, fold: int, model: AlexNet) -> float:
        """On a glance at the corrections and phantoms that the run of a fold does not draw."""
        lessons = self._data.lessons
        parts = zip((lessons.corrections, lessons.phantoms), lessons.unseen(fold), strict=True)
        glance = Pictures.joined([pictures.part(rows[: GLANCE // 2]) for pictures, rows in parts])
        if not len(glance):
            return 0.0
        logits = logits_of(copy.deepcopy(model).cpu(), glance, self._data.preprocessing)
        labels = np.minimum(glance.labels, logits.shape[1] - 1)
        none = labels == logits.shape[1] - 1
        right = np.where(none, logits.argmax(axis=1), logits[:, :-1].argmax(axis=1)) == labels
        return float(right.mean())

    def _remember(self, number: int, loss: float, accuracy: float) -> list[tuple[float, float]]:
        """For the report, and for whoever watches; loss and accuracy after each epoch until now."""
        path = self._folder / CURVES
        found = json.loads(path.read_text()) if path.exists() else {}
        write_whole(path, json.dumps(found | {str(number): [loss, accuracy]}, allow_nan=False).encode())
        return [(round(loss, 4), round(accuracy, 4)) for loss, accuracy in zip(*curves(self._folder), strict=True)]


def train(
    start: Start, data: Data, folder: Path, device: torch.device, team: Team, callbacks: Callbacks | None
) -> None:
    """Train the run of each fold. Goes on from the last checkpoint in the job's folder, if there is one.

    All processes of a team look which runs are there before any of them can end another.
    """
    missing = [fold for fold in range(FOLDS) if not _run_of(folder, fold).exists()]
    last = _last_checkpoint(folder / CHECKPOINT)
    for fold in missing:
        model = loop.train(
            copy.deepcopy(start.model),
            data.lessons.sources(fold),
            data.preprocessing,
            settings_of_run(start.settings, fold),
            report=partial(callbacks.step, fold) if callbacks else None,
            device=device,
            after_epoch=partial(callbacks.epoch, fold) if callbacks else None,
            resume=_within(last, fold, start.settings.epochs),
            team=team,
        )
        if callbacks:
            callbacks.trained(fold, model)


def trained_runs(folder: Path) -> list[dict[str, Tensor]]:
    """The weights of the run of each fold, once all are there. Raises CheckpointError."""
    return [Checkpoint.load(_run_of(folder, fold)).part("model.") for fold in range(FOLDS)]


def _run_of(folder: Path, fold: int) -> Path:
    return folder / f"run-{fold + 1}.safetensors"


def _within(checkpoint: Checkpoint | None, fold: int, epochs: int) -> Checkpoint | None:
    """The checkpoint by the epochs of a fold's run; None if it is of another run."""
    number = checkpoint.epoch - fold * epochs if checkpoint else 0
    return replace(checkpoint, epoch=number) if checkpoint and 0 < number <= epochs else None


def _last_checkpoint(path: Path) -> Checkpoint | None:
    if not path.exists():
        return None
    try:
        return Checkpoint.load(path)
    except CheckpointError as error:
        log.warning("checkpoint-damaged, from the beginning of the run: %s", error)
        return None


def curves(folder: Path) -> tuple[list[float], list[float]]:
    """Loss and accuracy after each epoch, those of earlier runs too."""
    path = folder / CURVES
    found = json.loads(path.read_text()) if path.exists() else {}
    points = [found[number] for number in sorted(found, key=int)]
    return [loss for loss, _ in points], [accuracy for _, accuracy in points]
