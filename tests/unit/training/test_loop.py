"""The training loop: it learns, and it is reproducible."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry.decision import Decision
from mskmodel.training.checkpoint import Checkpoint
from mskmodel.training.loop import Diverged, Epoch, Progress, Source, TrainingSettings, new_model, train
from mskmodel.versions.conversion import logits_of, outputs_of
from tests.drawn_pictures import CLASSES, QUICK, pictures, trained, weights


def test_the_same_seed_gives_the_same_weights_and_every_step_is_reported() -> None:
    steps: list[Progress] = []

    first, second = trained(steps), trained()

    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    assert [step.step for step in steps] == [1, 2]
    assert all(np.isfinite(step.loss) for step in steps)


def test_a_run_resumed_from_a_checkpoint_ends_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=3)
    sources = [Source("drawn", pictures(), 1.0)]

    def stop(epoch: Epoch) -> None:
        epoch.checkpoint().save(tmp_path / "run.safetensors")
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = train(new_model(CLASSES, settings, weights()), sources, Preprocessing(), settings)
    with pytest.raises(KeyboardInterrupt):
        train(new_model(CLASSES, settings, weights()), sources, Preprocessing(), settings, after_epoch=stop)
    steps: list[Progress] = []
    gone_on = train(
        new_model(CLASSES, settings, weights()),
        sources,
        Preprocessing(),
        settings,
        steps.append,
        resume=Checkpoint.load(tmp_path / "run.safetensors"),
    )

    assert [step.step for step in steps] == [5, 6]
    for one, other in zip(whole.state_dict().values(), gone_on.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_source_that_draws_some_of_its_pictures_is_one_of_these_alone() -> None:
    some = np.array([7, 2, 5, 0])
    models = [
        train(new_model(CLASSES, QUICK, weights()), [source], Preprocessing(), QUICK)
        for source in (Source("all", pictures(), 1.0, rows=some), Source("some", pictures().part(some), 1.0))
    ]

    for one, other in zip(models[0].state_dict().values(), models[1].state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_frozen_convolutions_stay_and_the_others_move() -> None:
    model = new_model(CLASSES, QUICK, weights())
    settings = TrainingSettings(epochs=1, views=16, batch=8, frozen=2, hidden=(32,), ranks=(0,))

    train(model, [Source("drawn", pictures(), 1.0)], Preprocessing(), settings)

    start = weights()
    assert torch.equal(model.features[3].weight, start["features.3.weight"])
    assert not torch.equal(model.features[6].weight, start["features.6.weight"])


def test_starting_weights_that_are_not_alexnets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features\.0\.weight"):
        new_model(CLASSES, QUICK, {})


def test_a_partial_source_says_nothing_about_the_classes_that_it_does_not_show() -> None:
    all_of_one = replace(pictures(), labels=np.zeros(len(pictures()), np.int64))
    start = new_model(CLASSES, QUICK, weights()).eval()
    before = logits_of(start, all_of_one, Preprocessing())

    settings = replace(QUICK, rate=0.03, views=40)

    def after(partial: bool) -> NDArray[np.float32]:
        source = Source("one", all_of_one, 1.0, partial=partial)
        return logits_of(train(copy.deepcopy(start), [source], Preprocessing(), settings), all_of_one, Preprocessing())

    np.testing.assert_allclose(after(True), before, atol=0.005)
    assert (after(False) - before)[:, 1:].max() < -0.05


def test_other_kinds_are_told_apart_and_a_picture_of_unknown_kind_may_be_of_any() -> None:
    settings = replace(QUICK, rate=0.03, views=80, epochs=2)
    start = new_model(CLASSES, settings, weights(), others=("noise", "never"))
    shown = pictures(24)
    known = train(copy.deepcopy(start), [Source("known", shown, 1.0)], Preprocessing(), settings)
    noise = shown.part(shown.labels == 2)
    unknown = replace(noise, labels=np.full(len(noise), 4, np.int64))

    gone_on = train(copy.deepcopy(known), [Source("unknown", unknown, 1.0)], Preprocessing(), settings)

    outputs = outputs_of(gone_on, noise, Preprocessing())
    assert outputs.shape == (len(noise), 5)
    assert (outputs_of(known, noise, Preprocessing()).argmax(axis=1) == 2).all()
    assert (outputs.argmax(axis=1) == 2).all(), "what is none of unknown kind speaks against no kind"
    before, after = (Decision().probabilities(logits_of(m, noise, Preprocessing())) for m in (known, gone_on))
    assert before.shape == (len(noise), 3)
    assert after[:, -1].min() > before[:, -1].min()


@pytest.mark.parametrize(("label", "untouched"), [(2, [1, 3, 4]), (4, [1])], ids=["a known kind", "of unknown kind"])
def test_a_partial_source_of_none_of_unknown_kind_may_show_every_kind(label: int, untouched: list[int]) -> None:
    start = new_model(CLASSES, QUICK, weights(), others=("noise", "never"))
    shown = replace(pictures(), labels=np.array([0, label] * (len(pictures()) // 2), np.int64))
    source = Source("partial", shown, 1.0, partial=True)

    model = train(copy.deepcopy(start), [source], Preprocessing(), replace(QUICK, rate=0.03, weight_decay=0.0))

    same = (model.head[-1].weight == start.head[-1].weight).all(dim=1)
    assert torch.nonzero(same).flatten().tolist() == untouched


def test_none_of_the_classes_is_drawn_as_often_however_many_kinds_it_has() -> None:
    class Watched(Preprocessing):
        def enhance(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
            seen.append(float(picture.mean()))
            return super().enhance(picture)

    shown = pictures(30)
    several = replace(shown, labels=np.where(shown.labels == 2, 2 + np.arange(30) % 4, shown.labels))
    drawn = []
    for source in (shown, several):
        seen: list[float] = []
        model = new_model(CLASSES, QUICK, weights(), others=("a", "b", "c"))
        train(model, [Source("drawn", source, 1.0)], Watched(), replace(QUICK, views=64, none_weight=3.0))
        drawn.append(seen)

    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("rate", "said"), [(1e6, "in epoch 1: .* rate \\(1e\\+06\\)"), (1e30, "1e\\+30")])
def test_a_loss_that_is_no_number_ends_the_training_with_what_to_do(rate: float, said: str) -> None:
    settings = replace(QUICK, views=80, rate=rate)
    steps: list[Progress] = []
    epochs: list[Epoch] = []

    with pytest.raises(Diverged, match=f"{said}.*too high; try a tenth of it"):
        train(
            new_model(CLASSES, settings, weights()),
            [Source("drawn", pictures(), 1.0)],
            Preprocessing(),
            settings,
            steps.append,
            after_epoch=epochs.append,
        )

    assert all(np.isfinite(step.loss) for step in steps)
    assert not epochs


def test_weights_that_the_last_step_made_infinite_become_no_checkpoint() -> None:
    # A single step: its own loss is finite.
    settings = replace(QUICK, views=8, rate=1e30, weight_decay=1e30, warmup=0.0)
    epochs: list[Epoch] = []
    model = new_model(CLASSES, settings, weights())

    with pytest.raises(Diverged):
        train(model, [Source("drawn", pictures(), 1.0)], Preprocessing(), settings, after_epoch=epochs.append)

    assert not epochs
