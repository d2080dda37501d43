"""Whether it pays to correct suggested radiographs rather than random ones, by simulation of an archive.

A site begins with a model that serves, and corrects some radiographs of its archive in each round: those that
`active_learning` suggests, or as many at random. After each round the model is trained anew on all corrections and
judged on held-out patients. So that a round takes a second, only the last layer is trained, on the output of the
other layers. As in a job, phantoms are rehearsed and every class is drawn as often as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mskmodel.data.dataset import Pictures
from mskmodel.judging.active_learning import Candidate, doubtful, suggest
from mskmodel.network.alexnet import in_looks
from mskmodel.registry.classifier import Classifier

__all__ = ["ARCHIVE", "ARMS", "MEASURES", "Mean", "Plan", "PoolTooSmall", "Site", "features_of", "mean_of", "run"]
__all__ += ["images_to_reach"]

#: How the radiographs to label are chosen.
ARMS = ("suggested", "at random")
#: How the model is judged. Recall is the mean over the classes and none of them, however many radiographs each has.
MEASURES = ("mean recall", "top-1 accuracy")
#: Of 250 patients of a hospital whose whole archive is labelled, how many come for which view. Chosen before any
#: result: chests are most of the images of none of the 13 classes; knees, hands and feet are frequent, axillary
#: shoulders rare. There are no films of several views: the results that were told are of an archive without any.
_OF_250: Mapping[str, int] = MappingProxyType(
    {
        "chest": 34, "knee_ap": 20, "knee_lateral": 18, "hand_ap": 16, "foot_ap": 12, "wrist": 12, "spine": 12,
        "shoulder_ap": 10, "pelvis_ap": 10, "ankle_ap": 9, "ankle_lateral": 9, "hip": 8, "hand_oblique": 7,
        "foot_lateral": 6, "finger": 6, "hand_lateral": 5, "foot_oblique": 5, "elbow_ap": 4, "elbow_lateral": 4,
        "patella": 4, "scapula_y": 4, "neck": 4, "forearm": 3, "lower_leg": 3, "femur": 3, "toes": 3,
        "shoulder_axillary": 2, "thumb": 2, "calcaneus": 2, "ankle_oblique": 1, "humerus": 2, "clavicle": 2,
        "skull": 2, "legs": 2, "knee_oblique": 1, "pelvis_frog": 1, "elbow_oblique": 1, "ankle_foot": 1,
    }
)  # fmt: skip
#: Views of the archive's phantoms, in the order to render them: any stretch of it has nearly the same mix.
ARCHIVE = tuple(
    view for _, view in sorted(((n + 0.5) / count, view) for view, count in _OF_250.items() for n in range(count))
)
#: Principal components that are kept of features: the rank of the shipped model's hidden layer. A few per cent of the
#: variance are lost.
_LENGTH = 128
_BATCH = 25
_DRAWS = 10_000


class PoolTooSmall(Exception):
    """There are fewer radiographs than the plan labels."""


@dataclass(frozen=True)
class Plan:
    """How many radiographs are corrected in each round, how many rounds there are, and how a job trains."""

    each: int = 50
    rounds: int = 5
    held_out: float = 0.3  # share of the patients
    rehearsed: float = 0.5  # share of phantoms in the draws of a job
    none_weight: float = 3.0  # none of the classes is drawn this many times as often as one class
    pull: float = 0.05  # towards the earlier layer; with it, random corrections do well, with and without new classes


@dataclass(frozen=True)
class Mean:
    """Mean of several runs, (rounds + 1,), with its 95 % interval by 10,000 bootstrap samples of the runs."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Site:
    """An archive and the model that serves.

    ``classes``: first those that the model knows. ``labels``, ``rehearsed_labels``: (n,) int64, an index of them; their
    number = none of them. ``known``: how many the model knows. ``weight``, ``bias``: of the last layer, a row for each
    of these, then one for each kind of none of them that it tells apart, and one for all other.
    """

    classes: tuple[str, ...]
    known: int
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]
    rehearsed: NDArray[np.float32]
    rehearsed_labels: NDArray[np.int64]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        classes: Sequence[str],
        archive: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
        rehearsed: tuple[NDArray[np.float32], NDArray[np.int64]],
    ) -> Site:
        """From the archive's features (see `features_of`), labels and patients, and the phantoms' features and labels.

        Phantoms of classes that the model does not know are left out. Features are reduced to their first principal
        components.
        """
        layer = classifier.model.head[-1]
        assert isinstance(layer, nn.Linear)
        weight, bias = layer.weight.detach().cpu().numpy(), layer.bias.detach().cpu().numpy()
        middle = archive[0].mean(axis=0)
        axes = np.linalg.svd(archive[0] - middle, full_matrices=False)[2][:_LENGTH]
        cut = (archive[0] - middle) @ axes.T
        scale = max(float(cut.std()), 1e-6)
        known = (rehearsed[1] < len(classifier.classes)) | (rehearsed[1] == len(classes))
        return cls(
            tuple(classes),
            len(classifier.classes),
            np.asarray(cut / scale, np.float32),
            archive[1],
            archive[2],
            np.asarray((rehearsed[0][known] - middle) @ axes.T / scale, np.float32),
            rehearsed[1][known],
            np.asarray(weight @ axes.T * scale, np.float32),
            np.asarray(bias + weight @ middle, np.float32),
        )


@torch.inference_mode()
def features_of(classifier: Classifier, pictures: Pictures, progress: Callable[[int], None]) -> NDArray[np.float32]:
    """Inputs of the last layer, (n, hidden): the mean over the version's looks.

    ``progress`` is called with the number of pictures done.
    """
    model, parts = classifier.model, []

    def hidden(images: Tensor) -> Tensor:
        answer: Tensor = model.head[:-1](model.avgpool(model.features(images)).flatten(1))
        return answer

    for first in range(0, len(pictures), _BATCH):
        some = slice(first, first + _BATCH)
        prepared = classifier.preprocessing.inputs(pictures.values[some], pictures.extents[some])
        images = torch.from_numpy(prepared).to(classifier.device)
        parts.append(in_looks(hidden, model.architecture.looks, images).cpu())
        progress(min(first + _BATCH, len(pictures)))
    return np.asarray(torch.cat(parts).numpy() if parts else np.zeros((0, model.architecture.hidden[-1]), np.float32))


def run(site: Site, plan: Plan, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Simulate each of `ARMS`; return `MEASURES` on the held-out patients at the start and after each round.

    Both begin with the same model and are judged on the same radiographs. Raises PoolTooSmall.
    """
    torch.set_num_threads(1)  # the matrices are so small that several threads would only wait for each other
    random = np.random.default_rng(seed)
    everyone = random.permutation(np.unique(site.patients))
    judges = np.isin(site.patients, everyone[: round(plan.held_out * len(everyone))])
    pool = np.flatnonzero(~judges)
    if len(pool) < plan.each * plan.rounds or not judges.any():
        raise PoolTooSmall(
            f"{len(pool)} radiographs of {len(everyone)} patients are left to label, and {judges.sum()} to judge by; "
            f"{plan.rounds} rounds of {plan.each} need more"
        )
    judged: dict[str, list[tuple[float, float]]] = {}
    for arm in ARMS:
        labelled = np.zeros(0, np.int64)
        judged[arm] = []
        for number in range(plan.rounds + 1):
            answer = _learned(site, plan, labelled)
            judged[arm].append(_judged(answer(site.features[judges]).argmax(axis=1), site.labels[judges]))
            rest = np.setdiff1d(pool, labelled)
            if number == plan.rounds:
                break
            if arm == "suggested":
                more = _suggested(answer(site.features[rest]), rest, site, plan.each)
            else:
                more = random.choice(rest, plan.each, replace=False)
            labelled = np.concatenate([labelled, more])
    return judged


def mean_of(values: NDArray[np.float64]) -> Mean:
    """Mean of the runs, of values (runs, rounds + 1)."""
    drawn = np.random.default_rng(1).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975), axis=0)
    return Mean(values.mean(axis=0), low, high)


def images_to_reach(accuracy: float, curve: NDArray[np.float64], plan: Plan) -> float | None:
    """Number of corrections after which the curve first is that high, interpolated between rounds; None if never.

    Its value before the first round does not count: the first corrections may lower it.
    """
    above = np.flatnonzero(curve[1:] >= accuracy)
    if not len(above):
        return None
    low, high = curve[above[0]], curve[above[0] + 1]
    return float(plan.each * (above[0] + (1.0 if low >= accuracy else (accuracy - low) / (high - low))))


def _judged(said: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    right = said == labels
    return float(np.mean([right[labels == each].mean() for each in np.unique(labels)])), float(right.mean())


def _suggested(
    probabilities: NDArray[np.float64], rows: NDArray[np.int64], site: Site, count: int
) -> NDArray[np.int64]:
    """The suggested ones of ``rows``, by what an outcome in Orthanc holds: five classes and whether it is none of them.

    Headers are empty.
    """
    candidates = []
    for row, each in zip(rows, probabilities, strict=True):
        order = np.argsort(-each[:-1], kind="stable")[:5]
        top = tuple((site.classes[i], float(each[i])) for i in order)
        candidates.append(Candidate(f"{row:09d}", top, bool(each[-1] >= top[0][1]), patient=str(site.patients[row])))
    return np.array([int(each.key) for each in suggest(doubtful(candidates, count), count)])


def _learned(
    site: Site, plan: Plan, labelled: NDArray[np.int64]
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """The model after a job with these corrections, as a function from features to (n, classes + 1) probabilities.

    A class that the model does not know becomes an answer with its first correction, with the weights of none of the
    classes to begin with.
    """
    none, last = len(site.classes), len(site.bias) - 1
    answers = np.union1d(np.append(np.arange(site.known), none), site.labels[labelled])
    named = answers[:-1]
    start = np.concatenate([np.where(named < site.known, named, last), np.arange(site.known, last + 1)])
    weight, bias = torch.from_numpy(site.weight[start]), torch.from_numpy(site.bias[start])
    if len(labelled):
        shares = [_shares(site.labels[labelled], none, plan), _shares(site.rehearsed_labels, none, plan)]
        share = plan.rehearsed if len(site.rehearsed) else 0.0
        drawn = torch.from_numpy(np.concatenate([shares[0] * (1 - share), shares[1] * share]).astype(np.float32))
        inputs = torch.from_numpy(np.concatenate([site.features[labelled], site.rehearsed]))
        labels = np.concatenate([site.labels[labelled], site.rehearsed_labels])
        weight, bias = _fitted(
            inputs, torch.from_numpy(np.searchsorted(answers, labels)), len(named), drawn, weight, bias, plan.pull
        )

    def probabilities(some: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros((len(some), none + 1))
        logits = _collapsed((torch.from_numpy(some) @ weight.T + bias).double(), len(named))
        found[:, answers] = logits.softmax(1).numpy()
        return found

    return probabilities


def _shares(labels: NDArray[np.int64], none: int, plan: Plan) -> NDArray[np.float64]:
    """Share of each in the draws of a job: every class as often as any other, none of them ``none_weight`` times."""
    wanted = np.where(np.arange(none + 1) == none, plan.none_weight, 1.0)
    shares = (wanted / np.maximum(np.bincount(labels, minlength=none + 1), 1))[labels]
    return np.asarray(shares / shares.sum() if len(shares) else shares)


def _collapsed(logits: Tensor, named: int) -> Tensor:
    """(n, rows) to (n, named + 1): the last column is none of the classes, of any kind."""
    return torch.cat([logits[:, :named], logits[:, named:].logsumexp(1, keepdim=True)], dim=1)


def _fitted(
    inputs: Tensor, labels: Tensor, named: int, shares: Tensor, weight: Tensor, bias: Tensor, pull: float
) -> tuple[Tensor, Tensor]:
    """Weight and bias that fit best, held near the earlier ones by ``pull``; rows after ``named`` are one answer."""
    moved, shifted = torch.zeros_like(weight).requires_grad_(), torch.zeros_like(bias).requires_grad_()
    optimiser = torch.optim.LBFGS([moved, shifted], max_iter=30, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = _collapsed(inputs @ (weight + moved).T + bias + shifted, named)
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        value = (losses * shares).sum() + pull * moved.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call] # of PyTorch
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call] # of PyTorch
    return (weight + moved).detach(), (bias + shifted).detach()
