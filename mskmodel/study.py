"""The published study again: AlexNet from ImageNet, fine-tuned on 793 radiographs of 13 classes, judged on 154.

Reads from top to bottom: the recipe, a run of it, the loop. Each seed has a split of its own, by patient. Unlike
`training`, each radiograph is seen once an epoch and as it is: the study names no augmentation, balancing or
smoothing. On 2 idle CPU cores with bfloat16 expect 140 radiographs a second, so a seed takes 5 minutes.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.exposure import equalize_adapthist
from torch import Tensor, nn

from mskmodel.alexnet import AlexNet, with_outputs
from mskmodel.augmentation import Augmentation
from mskmodel.cases import Cases, split
from mskmodel.classifier import Decision
from mskmodel.dataset import Pictures
from mskmodel.evaluation import Evaluation, Judgement, score
from mskmodel.precision import mixed
from mskmodel.preprocessing import Preprocessing
from mskmodel.training import Progress, Settings, new_model
from mskmodel.weights import StartingWeights

__all__ = ["Recipe", "Run", "StudyError", "judged", "run"]

#: The study's model always answers.
DECISION = Decision(threshold=0.0)
#: Radiographs in one pass of the network that learns nothing from them.
_BATCH = 32


class StudyError(Exception):
    """The radiographs do not suffice for the study."""


@dataclass(frozen=True)
class Recipe:
    """What is the study's, and what had to be chosen because it does not say."""

    training: int = 793
    validation: int = 154
    epochs: int = 50
    batch: int = 50
    momentum: float = 0.9
    weight_decay: float = 3e-4
    rate: float = 0.005  # chosen: the highest, down to nothing along a cosine
    hidden: tuple[int, ...] = (1024,)  # chosen; (4096, 4096) is AlexNet's own
    frozen: int = 2  # chosen: first convolutions kept as ImageNet left them, and so computed once, not 50 times
    augmented: bool = False  # not the study's: this program's preprocessing, and its augmentation in training

    @property
    def preprocessing(self) -> Preprocessing:
        """How radiographs are windowed: as the bit depth says; of ``augmented``, as the picture does."""
        return Preprocessing() if self.augmented else Preprocessing(window=None)

    def prepared(self, pictures: Pictures) -> Tensor:
        """Inputs of the network, (n, 3, size, size) float16: shrunk, low-contrast regions enhanced, normalised."""
        prepared = self.preprocessing.inputs if self.augmented else _as_published
        parts = [slice(first, first + _BATCH) for first in range(0, len(pictures), _BATCH)]
        return torch.cat([torch.from_numpy(prepared(pictures.values[p], pictures.extents[p])).half() for p in parts])


@dataclass(frozen=True, eq=False)
class Run:
    """One seed. ``rows``: (n,) int64, the cases validated on; ``logits``: (n, classes) after the last epoch.

    ``losses``, ``top1``: mean loss and accuracy on the validation cases after each epoch.
    """

    seed: int
    trained_on: int
    rows: NDArray[np.int64]
    logits: NDArray[np.float32]
    losses: tuple[float, ...]
    top1: tuple[float, ...]
    minutes: float


def run(
    cases: Cases,
    classes: Sequence[str],
    recipe: Recipe,
    seed: int,
    start: StartingWeights,
    kept_in: Path,
    device: torch.device | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Run:
    """Split, fine-tune, validate. A run that is found in ``kept_in``, of the same everything, is not done again.

    Raises StudyError where there are too few radiographs or patients.
    """
    inputs = [asdict(recipe), start.digest(), cases.digest(), list(classes), seed]
    kept = kept_in / f"run-{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]}.npz"
    if kept.is_file():
        return _loaded(kept)
    training, validation = split(cases.patients, recipe.training, recipe.validation, np.random.default_rng(seed))
    if len(training) < recipe.training or not len(validation):
        found = f"{len(cases.files)} radiographs of {len(np.unique(cases.patients))} patients"
        wanted = f"{recipe.training} to train on and {recipe.validation} of other patients to validate on"
        raise StudyError(f"{found} do not make {wanted}")
    began = time.monotonic()
    # 13 outputs as in the study, not one more for none of the classes.
    model = with_outputs(new_model(classes, Settings(hidden=recipe.hidden, seed=seed), start.tensors), len(classes))
    device = device or torch.device("cpu")
    fixed, trained = _parts(model.to(device).to(memory_format=torch.channels_last), recipe.frozen)
    held_out = _through(fixed, recipe.prepared(cases.pictures.part(validation)), device)
    true = cases.pictures.labels[validation]
    losses, top1, logits = [], [], np.zeros((len(validation), len(classes)), np.float32)
    for loss in _epochs(fixed, trained, cases.pictures.part(training), recipe, seed, device, report):
        logits = _through(trained, held_out, device).float().numpy()
        losses.append(loss)
        top1.append(float((logits.argmax(axis=1) == true).mean()))
    minutes = (time.monotonic() - began) / 60
    finished = Run(seed, len(training), validation, logits, tuple(losses), tuple(top1), minutes)
    _save(kept, finished)
    return finished


def judged(runs: Sequence[Run], cases: Cases, classes: Sequence[str]) -> tuple[Judgement, Evaluation]:
    """All answers of these runs together."""
    labels = np.concatenate([cases.pictures.labels[one.rows] for one in runs])
    logits = np.concatenate([one.logits for one in runs])
    # None of the classes, which the study does not know, is impossible.
    logits = np.column_stack([logits, np.full(len(logits), -np.inf, np.float32)])
    return Judgement.of(logits, labels, DECISION), score(logits, labels, classes, DECISION)


def _parts(model: AlexNet, frozen: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The network cut before the first convolution that is trained."""
    convolutions = [number for number, layer in enumerate(model.features) if isinstance(layer, nn.Conv2d)]
    cut = convolutions[frozen] if frozen < len(convolutions) else len(model.features)
    rest = nn.Sequential(model.features[cut:], model.avgpool, nn.Flatten(1), model.head)
    return model.features[:cut].eval(), rest


def _epochs(
    fixed: nn.Sequential,
    trained: nn.Sequential,
    pictures: Pictures,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    report: Callable[[Progress], None] | None,
) -> Iterator[float]:
    """Train in place; the mean loss of each epoch, the network in evaluation mode meanwhile."""
    optimiser = torch.optim.SGD(
        trained.parameters(), recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * math.ceil(len(pictures) / recipe.batch)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    inputs_of = _inputs(fixed, pictures, recipe, random, device)
    labels = torch.from_numpy(pictures.labels)
    step, began = 0, time.perf_counter()
    for _ in range(recipe.epochs):
        trained.train()
        losses = []
        for rows in torch.split(torch.randperm(len(pictures), generator=random), recipe.batch):
            inputs = _to(inputs_of(rows), device)
            with mixed(device):
                logits = trained(inputs)
            loss = nn.functional.cross_entropy(logits.float(), labels[rows].to(device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # of PyTorch
            optimiser.step()
            falling.step()
            losses.append(loss.item() * len(rows))
            step += 1
            if report:
                speed = (step * len(pictures) / (steps / recipe.epochs)) / (time.perf_counter() - began)
                report(Progress(step, steps, loss.item(), speed))
        trained.eval()
        yield math.fsum(losses) / len(pictures)


def _inputs(
    fixed: nn.Sequential, pictures: Pictures, recipe: Recipe, random: torch.Generator, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Function of row numbers: what the trained part sees, float. Without augmentation all of it is computed once."""
    if not recipe.augmented:
        once = _through(fixed, recipe.prepared(pictures), device)
        return lambda rows: once[rows].float()
    values, extents = torch.from_numpy(pictures.values), torch.from_numpy(pictures.extents)
    changed, preprocessing = Augmentation(), recipe.preprocessing

    def augmented(rows: Tensor) -> Tensor:
        some = changed(values[rows], extents[rows], preprocessing.size, random)
        images = torch.from_numpy(np.stack([preprocessing.enhance(picture) for picture in some.numpy()]))
        return _through(fixed, images, device).float()

    return augmented


def _as_published(values: NDArray[np.uint8], _: NDArray[np.int16]) -> NDArray[np.float32]:
    """Low-contrast local regions enhanced, with scikit-image; then as ImageNet's networks want it."""
    settings = Preprocessing()
    size = [settings.size, settings.size]
    grey = nn.functional.interpolate(torch.from_numpy(values)[:, None].float() / 255, size, mode="area")[:, 0].numpy()
    enhanced = np.stack([equalize_adapthist(one) if one.min() < one.max() else one for one in grey])
    mean, std = (np.asarray(one, np.float32)[:, None, None] for one in (settings.mean, settings.std))
    return np.asarray((enhanced[:, None] - mean) / std, np.float32)


@torch.no_grad()
def _through(part: nn.Sequential, images: Tensor, device: torch.device) -> Tensor:
    """What comes out of a part of the network, float16 on the CPU."""
    return torch.cat([part(_to(some.float(), device)).half().cpu() for some in torch.split(images, _BATCH)])


def _to(images: Tensor, device: torch.device) -> Tensor:
    return images.to(device).contiguous(memory_format=torch.channels_last)


def _save(path: Path, run: Run) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **asdict(run))
    partial.replace(path)


def _loaded(path: Path) -> Run:
    with np.load(path, allow_pickle=False) as arrays:
        losses, top1 = (tuple(arrays[name].tolist()) for name in ("losses", "top1"))
        numbers = int(arrays["seed"]), int(arrays["trained_on"])
        return Run(*numbers, arrays["rows"], arrays["logits"], losses, top1, float(arrays["minutes"]))
