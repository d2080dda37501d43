"""Fine-tune AlexNet: SGD with momentum, one cycle of the learning rate, everything from one seed.

In this order: settings, the loop, its learning rates, its batches. `versions` makes versions of trained models.
On 2 idle CPU cores with bfloat16 expect 100 pictures a second; on a GPU the CPU's augmentation is the limit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mskmodel.data.dataset import Pictures
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.parallel import ALONE, Team
from mskmodel.training.precision import mixed

__all__ = ["Diverged", "Epoch", "Progress", "Source", "TrainingSettings", "new_model", "train"]


class Diverged(Exception):
    """The loss, the weights or the answers of a training are no finite numbers any more."""

    def __init__(self, epoch: int, rate: float) -> None:
        super().__init__(
            f"the training diverged in epoch {epoch}: its loss, weights or answers are no numbers any more. "
            f"The learning rate ({rate:g}) is too high; try a tenth of it ({rate / 10:g})"
        )


@dataclass(frozen=True)
class TrainingSettings:
    """All settings of training. Momentum, weight decay and batch are the study's."""

    epochs: int = 6
    views: int = 2000  # pictures drawn per epoch, however many there are
    batch: int = 50
    rate: float = 0.01  # highest learning rate of the head
    convolution_rate: float = 0.3  # of the convolutions, relative to the head's
    frozen: int = 2  # first convolutions kept as ImageNet left them: they find edges; a third of the time is saved
    warmup: float = 0.25  # share of the steps in which the learning rate rises
    momentum: float = 0.9
    weight_decay: float = 3e-4
    label_smoothing: float = 0.05
    none_weight: float = 3.0  # none of the classes is drawn this many times as often as one class: it is many things
    dropout: float = 0.5  # before each hidden layer of a new model; a model trained further keeps its own
    hidden: tuple[int, ...] = (1024,)  # widths of the head; (4096, 4096) is the original
    ranks: tuple[int, ...] = (128,)  # of the finished model's hidden layers, 0 = full
    looks: int = 2  # of a new model: 1 = at the picture, 2 = at its mirror image too; one trained further keeps its own
    seed: int = 1
    threads: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, eq=False)
class Source:
    """Pictures of one origin and the share of all draws that they get.

    ``partial``: classes that the source does not show are missing by chance. The loss of its pictures is therefore
    taken over what it shows. Otherwise the model would learn the look of its pictures as a reason against the missing
    classes. ``rows``: (n,) those of the pictures that are drawn; None for all.
    """

    name: str
    pictures: Pictures
    share: float
    partial: bool = False
    rows: NDArray[np.int64] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Of the pictures that are drawn, (n,)."""
        return self.pictures.labels if self.rows is None else self.pictures.labels[self.rows]


@dataclass(frozen=True)
class Progress:
    """Progress after a step."""

    step: int
    steps: int
    loss: float
    pictures_per_second: float


@dataclass(frozen=True, eq=False)
class Epoch:
    """State after an epoch. ``loss``: its mean. ``model``: the one in training, in evaluation mode meanwhile."""

    number: int
    epochs: int
    loss: float
    model: AlexNet
    checkpoint: Callable[[], Checkpoint]


def new_model(
    classes: Sequence[str], settings: TrainingSettings, start: Mapping[str, Tensor], others: Sequence[str] = ()
) -> AlexNet:
    """AlexNet with the given ImageNet weights wherever their shapes fit, and a fresh head elsewhere.

    ``others``: kinds of none of the classes that it is to tell apart.
    """
    torch.manual_seed(settings.seed)
    ranks = tuple(0 for _ in settings.hidden)
    outputs = len(classes) + len(others) + 1
    architecture = Architecture(outputs, settings.hidden, ranks, settings.dropout, settings.looks, len(others))
    model = AlexNet(architecture)
    own = model.state_dict()
    # torchvision's hidden layers are classifier.1 and .4; ours are head.1 and head.4.
    renamed = {name.replace("classifier.", "head."): tensor for name, tensor in start.items()}
    fitting = {name: tensor for name, tensor in renamed.items() if name in own and own[name].shape == tensor.shape}
    missing = [name for name in own if name.startswith("features.") and name not in fitting]
    if missing:
        raise ValueError(f"starting weights do not fit: {', '.join(missing)}")
    model.load_state_dict(own | fitting)
    return model


def train(
    model: AlexNet,
    sources: Sequence[Source],
    preprocessing: Preprocessing,
    settings: TrainingSettings,
    report: Callable[[Progress], None] | None = None,
    device: torch.device | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
    resume: Checkpoint | None = None,
    team: Team = ALONE,
) -> AlexNet:
    """Train ``model`` in place and return it, in evaluation mode, on the CPU.

    ``report`` and ``after_epoch`` may raise to end the run. ``resume``: go on after this checkpoint's epoch. All other
    arguments must be as they were when it was made; the result is then the same as without the interruption.
    ``team``: the processes that train together; all make the same call and get the same model.
    Raises CheckpointError for a checkpoint that does not fit the model, and Diverged once the loss is no finite number.
    """
    torch.set_num_threads(settings.threads)
    random = torch.Generator()
    device = device or torch.device("cpu")
    model = model.to(device).to(memory_format=torch.channels_last)
    run = _Run(model, settings, random, team)
    first = run.restore(resume) if resume else 0
    each, share = math.ceil(settings.views / settings.batch), team.share(settings.batch)
    steps, done = settings.epochs * each, 0
    began = time.perf_counter()
    for epoch in range(first + 1, settings.epochs + 1):
        model.train()
        losses: list[float] = []
        run.begin(epoch)
        for images, labels, left_out in _batches(sources, model, preprocessing, settings, each, share, random):
            with mixed(device):
                logits = model(images.to(device).contiguous(memory_format=torch.channels_last))
            known = labels.to(device), left_out.to(device), model.architecture.classes
            loss = _loss(logits.float(), *known, settings.label_smoothing)
            step = (epoch - 1) * each + len(losses)
            run.step(loss, _one_cycle(step / steps, settings.warmup), len(labels) / settings.batch)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise Diverged(epoch, settings.rate)
            done += settings.batch
            if report:
                report(Progress(step + 1, steps, losses[-1], done / (time.perf_counter() - began)))
        model.eval()
        # The last step of an epoch has no loss after it.
        if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
            raise Diverged(epoch, settings.rate)
        if after_epoch:
            mean = math.fsum(losses) / len(losses)
            after_epoch(Epoch(epoch, settings.epochs, mean, model, partial(run.checkpoint, epoch)))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.cpu().eval()


class _Run:
    """What changes from step to step: weights, momentum and random generators."""

    def __init__(self, model: AlexNet, settings: TrainingSettings, random: torch.Generator, team: Team) -> None:
        self._model, self._random, self._seed, self._team = model, random, settings.seed, team
        groups = _parameter_groups(model, settings)
        self._rates = [group["lr"] for group in groups]
        momentum, decay = settings.momentum, settings.weight_decay
        self._optimiser = torch.optim.SGD(groups, settings.rate, momentum, weight_decay=decay)

    def begin(self, epoch: int) -> None:
        """Seed the generators of every device by the epoch alone; in a team each process draws its own pictures."""
        self._random.manual_seed(self._team.seed(self._seed, epoch))
        torch.manual_seed(self._team.seed(self._seed, epoch))

    def step(self, loss: Tensor, rate: float, share: float) -> None:
        """Do one step. ``rate``: share of the highest learning rate. ``share``: share of the batch in ``loss``."""
        for group, highest in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = highest * rate
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # of PyTorch
        self._team.average(self._model.parameters(), share)
        self._optimiser.step()

    def checkpoint(self, epoch: int) -> Checkpoint:
        momentum = {
            f"momentum.{name}": self._optimiser.state[parameter]["momentum_buffer"].cpu().clone()
            for name, parameter in self._model.named_parameters()
            if parameter in self._optimiser.state
        }
        weights = {f"model.{name}": tensor.cpu().clone() for name, tensor in self._model.state_dict().items()}
        return Checkpoint(epoch, weights | momentum)

    def restore(self, checkpoint: Checkpoint) -> int:
        try:
            self._model.load_state_dict(checkpoint.part("model."))
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint is of another model: {error}") from error
        momentum = checkpoint.part("momentum.")
        for name, parameter in self._model.named_parameters():
            if name in momentum:
                buffer = torch.empty_like(parameter).copy_(momentum[name])
                self._optimiser.state[parameter]["momentum_buffer"] = buffer
        return checkpoint.epoch


def _parameter_groups(model: AlexNet, settings: TrainingSettings) -> list[dict[str, Any]]:
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    for layer in convolutions[: settings.frozen]:
        layer.requires_grad_(False)
    slow = [p for layer in convolutions[settings.frozen :] for p in layer.parameters()]
    return [
        {"params": slow, "lr": settings.rate * settings.convolution_rate},
        {"params": list(model.head.parameters()), "lr": settings.rate},
    ]


def _loss(logits: Tensor, labels: Tensor, left_out: Tensor, classes: int, smoothing: float) -> Tensor:
    """Mean cross-entropy with smoothed labels, among the outputs that are not ``left_out``, (n, outputs) bool.

    A picture of none of the classes whose kind is unknown, the last label, may be of any: its likelihood is that of all
    of them together.
    """
    likelihoods = logits.masked_fill(left_out, -math.inf).log_softmax(dim=1)
    true = likelihoods.gather(1, labels[:, None])[:, 0]
    unknown = labels == logits.shape[1] - 1
    true = true.masked_scatter(unknown, likelihoods[unknown, classes:].logsumexp(dim=1))
    even = likelihoods.masked_fill(left_out, 0).sum(dim=1) / (~left_out).sum(dim=1)
    return -((1 - smoothing) * true + smoothing * even).mean()


def _one_cycle(done: float, warmup: float) -> float:
    """Share of the highest learning rate: up from a 25th, then down to 0 along a cosine (Smith 2018)."""
    if done < warmup:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / warmup)) / 2
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def _batches(
    sources: Sequence[Source],
    model: AlexNet,
    preprocessing: Preprocessing,
    settings: TrainingSettings,
    steps: int,
    batch: int,
    random: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of augmented, enhanced and normalised inputs.

    Each is the inputs, (batch, 3, size, size) float32; their labels, (batch,) int64; and the outputs that the loss of
    each input leaves out, (batch, outputs) bool.
    """
    values = [torch.from_numpy(source.pictures.values) for source in sources]
    extents = [torch.from_numpy(source.pictures.extents) for source in sources]
    none = model.architecture.classes
    chances = [_chances(source.labels, none, settings.none_weight) for source in sources]
    shares = torch.tensor([source.share for source in sources])
    unseen = torch.stack([_left_out(source, none, model.architecture.outputs) for source in sources])
    for _ in range(steps):
        counts = torch.multinomial(shares, batch, True, generator=random).bincount(minlength=len(sources))
        drawn = [
            torch.multinomial(chance, int(count), True, generator=random) if count else torch.empty(0).long()
            for chance, count in zip(chances, counts, strict=True)
        ]
        drawn = [d if s.rows is None else torch.from_numpy(s.rows)[d] for s, d in zip(sources, drawn, strict=True)]
        pictures = torch.cat([v[d] for v, d in zip(values, drawn, strict=True)])
        inside = torch.cat([e[d] for e, d in zip(extents, drawn, strict=True)])
        labels = torch.cat([torch.from_numpy(s.pictures.labels)[d] for s, d in zip(sources, drawn, strict=True)])
        changed = settings.augmentation(pictures, inside, preprocessing.size, random)
        enhanced = np.stack([preprocessing.enhance(picture) for picture in changed.numpy()])
        yield torch.from_numpy(enhanced), labels, unseen.repeat_interleave(counts, dim=0)


def _left_out(source: Source, none: int, outputs: int) -> Tensor:
    """Outputs of what a partial source does not show, (outputs,) bool.

    ``none``: the first output of none of the classes. Pictures of none of known kind may show any of them.
    """
    shown = torch.from_numpy(np.bincount(source.labels, minlength=outputs) > 0)
    if shown[-1]:
        shown[none:] = True
    return ~shown if source.partial else torch.zeros(outputs, dtype=torch.bool)


def _chances(labels: NDArray[np.int64], none: int, none_weight: float) -> Tensor:
    """Weights of the draw: each class as often as any other, none of the classes ``none_weight`` times as often.

    Labels from ``none`` on are none of the classes; among these, every picture is drawn as often, whatever its kind.
    """
    groups = np.minimum(labels, none)
    counts = np.bincount(groups, minlength=none + 1)
    wanted = np.where(np.arange(none + 1) == none, none_weight, 1.0)
    return torch.from_numpy((wanted / np.maximum(counts, 1))[groups])
