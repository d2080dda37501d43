"""Training: it learns, it is reproducible, and a version made of it serves the trained model."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mskmodel.data.dataset import STORED, Labelled, LabelsError, Pictures, read_labels
from mskmodel.judging.evaluation import answers, score
from mskmodel.network.alexnet import AlexNet, Architecture, mirrored_logits
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry import Registry
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.training.augmentation import Augmentation
from mskmodel.training.checkpoint import Checkpoint, CheckpointError
from mskmodel.training.loop import Epoch, Progress, Settings, Source, new_model, train
from mskmodel.versions.calibration import calibrated, calibrated_with_none
from mskmodel.versions.conversion import finished, logits_of, model_of_version, version_of

CLASSES = ("stripes", "disc")
QUICK = Settings(epochs=1, views=16, batch=8, rate=0.003, frozen=0, hidden=(32,), ranks=(16,), none_weight=1.0)


def pictures(n: int = 12, seed: int = 0) -> Pictures:
    """Stripes (0), discs (1), and noise, which is none of the classes (2)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:STORED, 0:STORED] / STORED
    values = []
    for number in range(n):
        phase, radius = random.uniform(0, 6), random.uniform(0.1, 0.4)
        stripes = np.sin(40 * x + phase) > 0
        disc = np.hypot(x - 0.5, y - 0.5) < radius
        noise = random.random((STORED, STORED))
        values.append(((stripes, disc, noise)[number % 3] * 200 + 20).astype(np.uint8))
    return Pictures(np.stack(values), np.full((n, 2), STORED, np.int16), np.arange(n, dtype=np.int64) % 3)


def weights() -> Mapping[str, Tensor]:
    """Stand-ins for ImageNet's weights: only training is tested here."""
    torch.manual_seed(0)
    state = AlexNet(Architecture(3, hidden=(32,))).state_dict()
    return {name: tensor for name, tensor in state.items() if name.startswith("features.")}


def trained(report: list[Progress] | None = None) -> AlexNet:
    model = new_model(CLASSES, QUICK, weights())
    show = report.append if report is not None else None
    return train(model, [Source("drawn", pictures(), 1.0)], Preprocessing(), QUICK, show)


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


def test_a_checkpoint_of_another_model_or_cut_short_is_refused(tmp_path: Path) -> None:
    made: list[Checkpoint] = []
    model = new_model(CLASSES, QUICK, weights())
    source = [Source("drawn", pictures(), 1.0)]
    train(model, source, Preprocessing(), QUICK, after_epoch=lambda epoch: made.append(epoch.checkpoint()))
    wider = replace(QUICK, hidden=(48,))
    path = tmp_path / "run.safetensors"
    made[0].save(path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CheckpointError, match="another model"):
        train(new_model(CLASSES, wider, weights()), source, Preprocessing(), wider, resume=made[0])
    with pytest.raises(CheckpointError, match=r"run\.safetensors"):
        Checkpoint.load(path)


def test_frozen_convolutions_stay_and_the_others_move() -> None:
    model = new_model(CLASSES, QUICK, weights())
    settings = Settings(epochs=1, views=16, batch=8, frozen=2, hidden=(32,), ranks=(0,))

    train(model, [Source("drawn", pictures(), 1.0)], Preprocessing(), settings)

    start = weights()
    assert torch.equal(model.features[3].weight, start["features.3.weight"])
    assert not torch.equal(model.features[6].weight, start["features.6.weight"])


def test_starting_weights_that_are_not_alexnets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features\.0\.weight"):
        new_model(CLASSES, QUICK, {})


def test_a_version_serves_what_was_trained_and_can_be_trained_further(tmp_path: Path) -> None:
    model = finished(trained(), QUICK)
    source = Source("drawn", pictures(), 1.0)
    tensors, manifest = version_of(model, CLASSES, Preprocessing(), QUICK, [source], pictures(6, seed=1), "stand-in")
    registry = Registry(tmp_path)

    directory = registry.find(registry.register(tensors, manifest))

    served = Classifier.load(directory, "cpu")
    images = np.stack([Preprocessing().enhance(p[:224, :224] / np.float32(255)) for p in pictures(3).values])
    expected = mirrored_logits(model, torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(served.logits(images), expected, atol=0.02)
    again = model_of_version(directory, CLASSES).eval()
    np.testing.assert_allclose(mirrored_logits(again, torch.from_numpy(images)).numpy(), expected, atol=0.02)
    assert model_of_version(directory, ("a", "b", "c")).architecture.outputs == 4


def test_augmented_pictures_are_different_finite_and_in_range() -> None:
    some = pictures(6)
    random = torch.Generator().manual_seed(0)

    changed = [
        Augmentation()(torch.from_numpy(some.values), torch.from_numpy(some.extents), 224, random) for _ in range(2)
    ]

    assert changed[0].shape == (6, 224, 224)
    assert not torch.equal(changed[0], changed[1])
    assert all(float(c.min()) >= 0 and float(c.max()) <= 1 for c in changed)


def test_overconfident_logits_are_cooled_and_the_threshold_keeps_mistakes_out() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    logits = random.normal(0, 6, (600, 4)).astype(np.float32)
    logits[np.arange(600), labels] += 12

    decision = calibrated(logits, labels)

    assert decision.temperature > 1.2
    figures = score(logits, labels, ("a", "b", "c"), decision)
    raw = score(logits, labels, ("a", "b", "c"), Decision())
    assert figures.calibration_error is not None
    assert raw.calibration_error is not None
    assert figures.calibration_error < raw.calibration_error
    assert figures.accuracy_when_answered is not None
    assert figures.accuracy_when_answered >= 0.97


def test_the_calibration_error_by_chance_is_that_of_perfectly_calibrated_confidences() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (136, 4)).astype(np.float32)
    chances = Decision().probabilities(logits).cumsum(axis=1)

    errors, told = [], None
    for _ in range(300):
        labels = (random.random((136, 1)) < chances).argmax(axis=1)
        figures = score(logits, labels, ("a", "b", "c"), Decision())
        told = figures.calibration_error_by_chance
        errors.append(figures.calibration_error)

    assert told == pytest.approx(np.mean(errors), rel=0.1)


def test_none_of_the_classes_is_calibrated_to_its_frequency_and_to_its_evidence() -> None:
    random = np.random.default_rng(0)
    # With unit noise and a signal of 2, twice the evidence is the right logit where all three are equally frequent.
    labels = np.where(random.random(3000) < 2 / 3, 2, random.integers(0, 2, 3000))
    evidence = 2 * (random.normal(0, 1, (3000, 3)) + 2 * np.eye(3)[labels])
    # Twice as sure of none of the classes as it should be, and four thirds as sure of a class.
    classes, odds = evidence[:, :2] * 4 / 3, evidence[:, 2] - np.logaddexp.reduce(evidence[:, :2], axis=1)
    none = np.logaddexp.reduce(classes, axis=1) + 2 * odds
    logits = np.column_stack([classes, none]).astype(np.float32)

    decision = calibrated_with_none(logits, labels, 0.5)

    assert decision.temperature == pytest.approx(4 / 3, rel=0.15)
    confidence = decision.probabilities(logits)
    frequency = np.bincount(labels)
    prior = np.log(2 * frequency[2] / (frequency[0] + frequency[1]))
    wanted = 1 / (1 + np.exp(-(odds + prior)))
    assert np.abs(confidence[:, 2] - wanted).mean() < 0.02
    assert decision.threshold == 0.5
    ours = labels < 2
    alone = calibrated_with_none(logits[ours], labels[ours], 0.5)
    assert alone == Decision(decision.temperature, 0.5)
    told, untold = (score(logits, labels, CLASSES, one).calibration_error for one in (decision, Decision()))
    assert told is not None
    assert untold is not None
    assert told < 0.02 < 0.05 < untold


def test_slope_and_shift_leave_the_probabilities_among_the_classes_unchanged() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 4)).astype(np.float32)
    plain, sloped = Decision(), Decision(none_slope=0.5, none_shift=1.0)

    probabilities = sloped.probabilities(logits)

    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    kept = plain.probabilities(logits)
    among = [values[:, :3] / values[:, :3].sum(axis=1, keepdims=True) for values in (probabilities, kept)]
    np.testing.assert_allclose(*among)
    odds = np.log(probabilities[:, 3] / (1 - probabilities[:, 3]))
    np.testing.assert_allclose(odds, 0.5 * np.log(kept[:, 3] / (1 - kept[:, 3])) + 1.0)


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


def test_calibration_to_a_hold_out_makes_a_model_no_surer_than_its_base() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    easy = (random.normal(0, 1, (300, 3)) + 20 * np.eye(3)[labels]).astype(np.float32)
    base = Decision(temperature=0.7, threshold=0.6, none_slope=0.9, none_shift=1.5)

    assert calibrated(easy, labels, base=base) == base
    doubtful = calibrated(easy / 20 * random.choice([-1, 1], (300, 1), p=[0.3, 0.7]), labels, base=base)
    assert (doubtful.none_slope, doubtful.none_shift) == (base.none_slope, base.none_shift)
    assert doubtful.temperature > base.temperature
    assert doubtful.threshold >= base.threshold


def test_a_bend_moves_the_content_of_a_picture_and_leaves_its_grey_values() -> None:
    rows, columns = np.mgrid[0:STORED, 0:STORED]
    chessboard = ((rows // 24 + columns // 24) % 2 * 200).astype(np.uint8)[None].repeat(8, 0)
    extents = torch.full((8, 2), STORED, dtype=torch.int16)
    still = Augmentation(0, 0, 0, (1.0, 1.0), 0, 0, 0, 1.0, 0, 0, 0, 0, 0)

    plain, bent = (
        one(torch.from_numpy(chessboard), extents, 224, torch.Generator().manual_seed(0))
        for one in (still, replace(still, bend=0.04))
    )

    moved = (plain - bent).abs().mean(dim=(1, 2))
    assert (moved > 0.02).sum() >= 6
    assert (moved < 0.5).all()
    assert torch.quantile(bent.flatten(1), 0.9, dim=1).allclose(torch.ones(8), atol=0.05)


def test_figures_follow_their_definitions() -> None:
    logits = np.log(
        np.array(
            [[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.1, 0.85, 0.05], [0.2, 0.1, 0.7], [0.9, 0.08, 0.02]], np.float32
        )
    )
    labels = np.array([0, 0, 1, 2, 2])  # the last two are none of the classes

    figures = score(logits, labels, CLASSES, Decision(threshold=0.5))

    assert (figures.count, figures.none_count) == (3, 2)
    assert figures.top1 == pytest.approx(2 / 3)
    assert figures.mean_recall == pytest.approx(0.75)
    assert figures.top5_error == 0
    assert figures.abstained == 0
    assert figures.none_labelled == pytest.approx(0.5)
    assert figures.none_auroc == pytest.approx(0.5)
    assert figures.classes[0].taken_for == {"disc": 1}
    assert figures.classes[0].precision == pytest.approx(0.5)


def test_evaluation_lists_what_it_cannot_read(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    model = finished(new_model(CLASSES, QUICK, weights()), QUICK).eval()
    some = pictures(3)
    tensors, manifest = version_of(model, CLASSES, Preprocessing(), QUICK, [], some, "stand-in")
    classifier = Classifier.load(registry.find(registry.register(tensors, manifest)), "cpu")
    Image.fromarray(some.values[0]).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "labels.csv").write_text("file,label\ngood.png,stripes\nbad.png,disc\nmissing.png,\n")

    said = answers(classifier, read_labels(tmp_path / "labels.csv", tmp_path, CLASSES))
    result = score(said.logits, said.labels, CLASSES, classifier.decision, said.unreadable)

    assert (result.count, result.none_count) == (1, 0)
    assert [one.file.name for one in result.unreadable] == ["bad.png", "missing.png"]


def test_labels_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,label,licence\na.png,disc,CC0\nb.png,,CC BY-SA 4.0\n")

    assert read_labels(path, tmp_path, CLASSES) == [
        Labelled(tmp_path / "a.png", "disc"),
        Labelled(tmp_path / "b.png", None),
    ]
    assert [row.file.name for row in read_labels(path, tmp_path, CLASSES, [("licence", "BY-SA")])] == ["a.png"]
    with pytest.raises(LabelsError, match="colour"):
        read_labels(path, tmp_path, CLASSES, [("colour", "red")])
    with pytest.raises(LabelsError, match="disc"):
        read_labels(path, tmp_path, ("stripes",))
    path.write_text("a.png,disc\n")
    with pytest.raises(LabelsError, match="file and label"):
        read_labels(path, tmp_path, CLASSES)
