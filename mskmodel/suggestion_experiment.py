"""Does it pay to correct what is suggested? A simulated archive says: suggested against random radiographs.

A weak model begins with a few labelled radiographs. In each round some more get their labels, those that `suggestion`
picks or as many at random, and the model learns anew; held-out patients judge it. To take seconds a round, the model is
AlexNet's convolutions as ImageNet left them, their output projected at random once, with one trained layer upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mskmodel.alexnet import FEATURES, AlexNet, Architecture
from mskmodel.dataset import Pictures
from mskmodel.preprocessing import Preprocessing
from mskmodel.suggestion import Candidate, doubtful, suggest

__all__ = ["ARMS", "MEASURES", "Mean", "Plan", "PoolTooSmall", "features_of", "images_to_reach", "mean_of", "run"]

#: How the radiographs to label are chosen.
ARMS = ("suggested", "at random")
#: How the model is judged. Recall is the mean over the classes and none of them, however many radiographs each has.
MEASURES = ("mean recall", "top-1 accuracy")
#: Length of what the projection leaves of 9216 numbers.
_LENGTH = 768
_BATCH = 50
_DRAWS = 10_000


class PoolTooSmall(Exception):
    """There are fewer radiographs than the plan labels."""


@dataclass(frozen=True)
class Plan:
    """How much is labelled at first, in each round, and how often."""

    start: int = 30
    each: int = 20
    rounds: int = 10
    held_out: float = 0.3  # share of the patients
    weight_decay: float = 1e-2  # of the trained layer


@dataclass(frozen=True)
class Mean:
    """Of several runs, (rounds + 1,) each, with its 95 % interval: 10,000 bootstrap samples of the runs."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@torch.inference_mode()
def features_of(
    pictures: Pictures,
    preprocessing: Preprocessing,
    start: Mapping[str, Tensor],
    progress: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """(n, 768), each column with mean 0 and standard deviation 1. ``progress`` is told how many are done."""
    network = AlexNet(Architecture(1, hidden=(1,)))
    convolutions = {
        name.removeprefix("features."): tensor for name, tensor in start.items() if name.startswith("features.")
    }
    network.features.load_state_dict(convolutions)
    network.eval()
    projection = torch.randn(FEATURES, _LENGTH, generator=torch.Generator().manual_seed(1)) / FEATURES**0.5
    parts = []
    for first in range(0, len(pictures), _BATCH):
        some = slice(first, first + _BATCH)
        images = torch.from_numpy(preprocessing.inputs(pictures.values[some], pictures.extents[some]))
        parts.append(network.avgpool(network.features(images)).flatten(1) @ projection)
        progress(min(first + _BATCH, len(pictures)))
    found = torch.cat(parts)
    return np.asarray(((found - found.mean(0)) / found.std(0).clamp(min=1e-6)).numpy())


def run(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    patients: NDArray[np.int64],
    classes: Sequence[str],
    plan: Plan,
    seed: int,
) -> dict[str, list[tuple[float, float]]]:
    """`MEASURES` on the held-out patients at the start and after each round, for each of `ARMS`.

    Both begin with the same radiographs and are judged by the same ones. ``labels``: the number of classes = none of
    them, which is an answer like the others. Raises PoolTooSmall.
    """
    torch.set_num_threads(1)  # the matrices are so small that several would only wait for each other
    random = np.random.default_rng(seed)
    everyone = random.permutation(np.unique(patients))
    judges = np.isin(patients, everyone[: round(plan.held_out * len(everyone))])
    pool = np.flatnonzero(~judges)
    if len(pool) < plan.start + plan.each * plan.rounds or not judges.any():
        raise PoolTooSmall(
            f"{len(pool)} radiographs of {len(everyone)} patients are left to label, and {judges.sum()} to judge by; "
            f"{plan.rounds} rounds of {plan.each} and {plan.start} to begin with need more"
        )
    first = random.choice(pool, plan.start, replace=False)
    judged: dict[str, list[tuple[float, float]]] = {}
    for arm in ARMS:
        labelled = first
        judged[arm] = []
        for number in range(plan.rounds + 1):
            answer = _trained(features[labelled], labels[labelled], len(classes) + 1, plan.weight_decay)
            said = answer(features[judges]).argmax(axis=1)
            judged[arm].append(_judged(said, labels[judges]))
            rest = np.setdiff1d(pool, labelled)
            if number == plan.rounds:
                break
            if arm == "suggested":
                more = _suggested(answer(features[rest]), rest, patients, classes, plan.each)
            else:
                more = random.choice(rest, plan.each, replace=False)
            labelled = np.concatenate([labelled, more])
    return judged


def mean_of(values: NDArray[np.float64]) -> Mean:
    """(runs, rounds + 1) to the mean of the runs."""
    drawn = np.random.default_rng(1).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975), axis=0)
    return Mean(values.mean(axis=0), low, high)


def images_to_reach(accuracy: float, curve: NDArray[np.float64], plan: Plan) -> float | None:
    """Radiographs labelled after the start until the curve first is that high, between two rounds along a line."""
    above = np.flatnonzero(curve >= accuracy)
    if not len(above):
        return None
    reached = int(above[0])
    if reached == 0:
        return 0.0
    low, high = curve[reached - 1], curve[reached]
    return float(plan.each * (reached - 1 + (accuracy - low) / (high - low)))


def _judged(said: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    right = said == labels
    return float(np.mean([right[labels == each].mean() for each in np.unique(labels)])), float(right.mean())


def _suggested(
    probabilities: NDArray[np.float64],
    rows: NDArray[np.int64],
    patients: NDArray[np.int64],
    classes: Sequence[str],
    count: int,
) -> NDArray[np.int64]:
    """Those of ``rows`` that are suggested, seen as an outcome in Orthanc shows them: five classes and an abstention.

    Nobody's header says anything.
    """
    candidates = []
    for row, each in zip(rows, probabilities, strict=True):
        order = np.argsort(-each[:-1], kind="stable")[:5]
        top = tuple((classes[i], float(each[i])) for i in order)
        candidates.append(Candidate(f"{row:09d}", top, bool(each[-1] >= top[0][1]), patient=str(patients[row])))
    return np.array([int(each.key) for each in suggest(doubtful(candidates, count), count)])


def _trained(
    features: NDArray[np.float32], labels: NDArray[np.int64], outputs: int, weight_decay: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A multinomial logistic regression; the function gives (n, outputs) probabilities."""
    layer = nn.Linear(features.shape[1], outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    inputs, wanted = torch.from_numpy(features), torch.from_numpy(labels)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=30, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(layer(inputs), wanted) + weight_decay * layer.weight.square().sum() / 2
        value.backward()  # type: ignore[no-untyped-call] # of PyTorch
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call] # of PyTorch

    @torch.inference_mode()
    def probabilities(some: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(layer(torch.from_numpy(some)).double().softmax(1).numpy())

    return probabilities
