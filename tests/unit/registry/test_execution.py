"""How a processor executes the network: what is fastest there, if it is clearly so and gives the same answers."""

import logging
import time

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mskmodel.registry import SHIPPED
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.execution import FLOAT32, Network, fastest
from tests.drawn_pictures import a_radiograph

SAID = [0.7, 0.2, 0.1]


class Way:
    """Stands in for a way to execute the network: takes its time, and then says the same of every picture."""

    def __init__(self, alone: float, several: float = 0, said: list[float] = SAID) -> None:
        self.alone, self.several, self.said = alone, several or 2 * alone, said

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        time.sleep(self.alone if len(images) == 1 else self.several)
        return torch.tensor(self.said).expand(len(images), -1)


class Broken(Way):
    """One that cannot execute the network."""

    def __call__(self, _: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("could not create a primitive")


def ask(way: Network, count: int) -> NDArray[np.float64]:
    return np.asarray(way(torch.zeros(count, 1, 8, 8)), np.float64)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        (Way(0.02), True),
        (Way(0.039), False),
        (Way(0.08), False),
        (Way(0.02, several=0.079), False),
        (Way(0.038, several=0.02), False),
        (Way(0.02, said=[0.705, 0.195, 0.1]), True),
        (Way(0.02, said=[0.68, 0.22, 0.1]), False),
        (Way(0.02, said=[float("nan"), 0.2, 0.1]), False),
        (Broken(0.02), False),
    ],
    ids=["faster", "hardly faster", "slower", "faster alone", "faster together", "alike", "unlike", "NaN", "broken"],
)
def test_another_way_is_taken_if_it_is_clearly_faster_and_agrees(
    monkeypatch: pytest.MonkeyPatch, other: Way, taken: bool
) -> None:
    ways = {FLOAT32: Way(0.04), "other": other}
    monkeypatch.setattr("mskmodel.registry.execution.ways", lambda *_: ways)

    assert fastest(None, 8, ask) is ways["other" if taken else FLOAT32]  # type: ignore[arg-type]


def test_of_several_that_are_faster_the_fastest_is_taken_and_the_log_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ways = {FLOAT32: Way(0.04), "b": Way(0.02), "c": Way(0.01)}
    monkeypatch.setattr("mskmodel.registry.execution.ways", lambda *_: ways)

    with caplog.at_level(logging.INFO):
        assert fastest(None, 8, ask) is ways["c"]  # type: ignore[arg-type]

    (line,) = caplog.messages
    assert "chosen=c " in line
    assert all(name in line for name in ways)


def test_the_shipped_version_says_the_same_in_the_way_that_is_chosen_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def whatever_agrees(_: object, names: dict[str, Network]) -> list[str]:
        return list(names)[-1:]

    monkeypatch.setattr("mskmodel.registry.execution._clearly_faster", whatever_agrees)
    plain, hastened = Classifier.load(SHIPPED, "cpu"), Classifier.load(SHIPPED, "cpu")
    hastened.hasten()
    batch = [plain.prepare(a_radiograph(400 + 50 * n, 380, seed=n)) for n in range(5)]

    for before, after in zip(plain.classify(batch), hastened.classify(batch), strict=True):
        assert after.label == before.label
        expected, found = dict(before.top5), dict(after.top5)
        for key in expected | found:
            assert found.get(key, 0) == pytest.approx(expected.get(key, 0), abs=0.02)


def test_a_classifier_that_was_not_told_to_hasten_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mskmodel.registry.classifier.fastest", pytest.fail)
    classifier = Classifier.load(SHIPPED, "cpu")

    classifier.classify([classifier.prepare(a_radiograph(400, 380))])
