"""The published study repeated: AlexNet from ImageNet, fine-tuned on 793 radiographs of 13 classes, judged on 154.

In this order: the recipe, a run of it, the loop. Each seed has its own split by patient. Unlike in `training`, each
radiograph is seen once per epoch and unchanged, as the study names no augmentation, balancing or smoothing. The recipe
``augmented`` is for comparison: `training` on the same radiographs for as many epochs, and answers that are the mean of
several looks. On 2 idle CPU cores with bfloat16 expect 140 radiographs a second, so a seed takes 5 minutes;
``augmented`` has 90 a second and takes 7.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.exposure import equalize_adapthist
from torch import Tensor, nn

from mskmodel.data.cases import Cases, split
from mskmodel.data.dataset import Pictures
from mskmodel.judging.evaluation import Evaluation, score
from mskmodel.judging.judgement import Judgement
from mskmodel.network.alexnet import AlexNet, with_outputs
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.network.weights import StartingWeights
from mskmodel.registry.decision import Decision
from mskmodel.training.loop import Diverged, Epoch, Progress, Source, TrainingSettings, new_model, train
from mskmodel.training.precision import mixed

__all__ = ["Recipe", "Run", "StudyError", "judged", "run"]

#: The study's model never abstains.
DECISION = Decision(threshold=0.0)
#: Looks whose mean is an answer of ``augmented``: zoom, and degrees turned by; each with its mirror image.
_LOOKS = ((1.0, 0.0), (0.88, 0.0), (1.13, 0.0), (1.0, 8.0), (1.0, -8.0))
#: Radiographs in one pass of the network without training.
_BATCH = 32
#: Mean loss over the training radiographs, and (n, classes) logits of the validation ones after it.
_Epoch = tuple[float, NDArray[np.float32]]


class StudyError(Exception):
    """There are too few radiographs or patients for the study."""


@dataclass(frozen=True)
class Recipe:
    """The study's settings, and those that had to be chosen because the study does not state them."""

    training: int = 793
    validation: int = 154
    epochs: int = 50
    batch: int = 50
    momentum: float = 0.9
    weight_decay: float = 3e-4
    rate: float | None = None  # chosen; see highest_rate
    hidden: tuple[int, ...] = (1024,)  # chosen; (4096, 4096) is AlexNet's own
    frozen: int = 2  # chosen: first convolutions kept as ImageNet left them, and so computed once, not 50 times
    augmented: bool = False  # not the study's: this program's preprocessing and training, and more looks

    @property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing that windows by the bit depth, of the whole image; for ``augmented``, this program's own."""
        return Preprocessing() if self.augmented else Preprocessing(window=None, field=False)

    @property
    def looks(self) -> tuple[tuple[float, float], ...]:
        """Zoom and degrees of each look at a radiograph: one, unchanged; for ``augmented``, five."""
        return _LOOKS if self.augmented else _LOOKS[:1]

    @property
    def highest_rate(self) -> float:
        """Highest learning rate, from which it falls to 0 along a cosine; for ``augmented``, it rises to it first."""
        return self.rate or (0.01 if self.augmented else 0.005)

    @property
    def settings(self) -> TrainingSettings:
        """TrainingSettings of `training` for ``augmented``: one cycle, smoothed labels, balanced classes."""
        return TrainingSettings(
            epochs=self.epochs,
            views=self.training,
            batch=self.batch,
            rate=self.highest_rate,
            convolution_rate=1.0,  # all layers alike, as the published recipe has it; a third was worse
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            frozen=self.frozen,
            none_weight=1.0,
            hidden=self.hidden,
        )


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a seed. ``rows``: (n,) int64, the validation cases; ``logits``: (n, classes) after the last epoch.

    ``losses``: mean training loss of each epoch; ``top1``: accuracy on the validation cases after it.
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
    device: torch.device,
    report: Callable[[Progress], None] | None = None,
) -> Run:
    """Split, fine-tune, validate; or return the run of the same inputs that is kept in the folder ``kept_in``.

    Raises StudyError where there are too few radiographs or patients.
    """
    how = [asdict(recipe), asdict(recipe.settings), recipe.preprocessing.to_json(), recipe.looks]
    inputs = [*how, start.digest(), cases.digest(), list(classes), seed]
    kept = kept_in / f"run-{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]}.npz"
    if kept.is_file():
        return _loaded(kept)
    training, validation = split(cases.patients, recipe.training, recipe.validation, np.random.default_rng(seed))
    if len(training) < recipe.training or not len(validation):
        found = f"{len(cases.files)} radiographs of {len(np.unique(cases.patients))} patients"
        wanted = f"{recipe.training} to train on and {recipe.validation} of other patients to validate on"
        raise StudyError(f"{found} are too few for {wanted}")
    began = time.monotonic()
    # 13 outputs as in the study, without one for none of the classes.
    model = with_outputs(
        new_model(classes, TrainingSettings(hidden=recipe.hidden, seed=seed), start.tensors), len(classes)
    )
    pictures = cases.pictures.part(training), cases.pictures.part(validation)
    epochs = (_augmented if recipe.augmented else _published)(model, *pictures, recipe, seed, device, report)
    losses, logits = zip(*epochs, strict=True)
    top1 = [float((each.argmax(axis=1) == pictures[1].labels).mean()) for each in logits]
    minutes = (time.monotonic() - began) / 60
    finished = Run(seed, len(training), validation, logits[-1], tuple(losses), tuple(top1), minutes)
    _save(kept, finished)
    return finished


def judged(runs: Sequence[Run], cases: Cases, classes: Sequence[str]) -> tuple[Judgement, Evaluation]:
    """The answers of all these runs together, judged."""
    labels = np.concatenate([cases.pictures.labels[one.rows] for one in runs])
    logits = np.concatenate([one.logits for one in runs])
    # The study has no output for none of the classes: a logit whose probability is 0.
    logits = np.column_stack([logits, np.full(len(logits), -1e6, np.float32)])
    return Judgement.of(logits, labels, DECISION), score(logits, labels, classes, DECISION)


def _augmented(
    model: AlexNet,
    training: Pictures,
    validation: Pictures,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    report: Callable[[Progress], None] | None,
) -> list[_Epoch]:
    """Mean loss and answers of each epoch. The last epoch averages all looks; the others, for the curve, use one."""
    settings, preprocessing, epochs = replace(recipe.settings, seed=seed), recipe.preprocessing, []

    def seen(look: tuple[float, float]) -> Tensor:
        return torch.from_numpy(preprocessing.inputs(validation.values, validation.extents, *look))

    first, *others = recipe.looks
    seen_first = seen(first)

    def keep(epoch: Epoch) -> None:
        answers = [_answers(epoch.model, seen_first, device)]
        if epoch.number == epoch.epochs:
            answers += [_answers(epoch.model, seen(look), device) for look in others]
        epochs.append((epoch.loss, np.mean(answers, axis=0)))

    train(model, [Source("study", training, 1.0)], preprocessing, settings, report, device, keep)
    return epochs


def _answers(model: AlexNet, inputs: Tensor, device: torch.device) -> NDArray[np.float32]:
    """Logits, (n, classes), from the looks that the model takes."""
    logits = [model.logits(some.to(device)).cpu() for some in torch.split(inputs, _BATCH)]
    return torch.cat(logits).numpy()


def _published(
    model: AlexNet,
    training: Pictures,
    validation: Pictures,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    report: Callable[[Progress], None] | None,
) -> list[_Epoch]:
    """Each epoch's mean loss and answers. The outputs of the frozen layers are computed once."""
    fixed, trained = _parts(model.to(device).to(memory_format=torch.channels_last), recipe.frozen)
    inputs, held_out = (_through(fixed, _as_published(some), device) for some in (training, validation))
    labels = torch.from_numpy(training.labels)
    optimiser = torch.optim.SGD(
        trained.parameters(), recipe.highest_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * math.ceil(len(training) / recipe.batch)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    step, began, epochs = 0, time.perf_counter(), []
    for epoch in range(1, recipe.epochs + 1):
        trained.train()
        losses = []
        for rows in torch.split(torch.randperm(len(training), generator=random), recipe.batch):
            with mixed(device):
                logits = trained(_to(inputs[rows].float(), device))
            loss = nn.functional.cross_entropy(logits.float(), labels[rows].to(device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # of PyTorch
            optimiser.step()
            falling.step()
            losses.append(loss.item() * len(rows))
            if not math.isfinite(losses[-1]):
                raise Diverged(epoch, recipe.highest_rate)
            step += 1
            if report:
                speed = (step * len(training) / (steps / recipe.epochs)) / (time.perf_counter() - began)
                report(Progress(step, steps, loss.item(), speed))
        trained.eval()
        epochs.append((math.fsum(losses) / len(training), _through(trained, held_out, device).float().numpy()))
    return epochs


def _parts(model: AlexNet, frozen: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The network in two parts, cut before the first convolution that is trained."""
    convolutions = [number for number, layer in enumerate(model.features) if isinstance(layer, nn.Conv2d)]
    cut = convolutions[frozen] if frozen < len(convolutions) else len(model.features)
    rest = nn.Sequential(model.features[cut:], model.avgpool, nn.Flatten(1), model.head)
    return model.features[:cut].eval(), rest


def _as_published(pictures: Pictures) -> Tensor:
    """Inputs of the network, (n, 3, size, size) float16: shrunk, low-contrast local regions enhanced, normalised."""
    settings = Preprocessing()
    size = [settings.size, settings.size]
    mean, std = (np.asarray(one, np.float32)[:, None, None] for one in (settings.mean, settings.std))
    inputs = []
    for picture in torch.from_numpy(pictures.values):
        grey = nn.functional.interpolate(picture[None, None].float() / 255, size, mode="area")[0, 0].numpy()
        enhanced = equalize_adapthist(grey) if grey.min() < grey.max() else grey
        inputs.append(torch.from_numpy((enhanced[None] - mean) / std).half())
    return torch.stack(inputs)


@torch.no_grad()
def _through(part: nn.Sequential, images: Tensor, device: torch.device) -> Tensor:
    """Output of a part of the network, float16 on the CPU."""
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
