"""How a version learns from corrections: what each run sees, and that its answers are to what it has not seen."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.training.averaging import averaged
from mskmodel.training.loop import new_model
from mskmodel.versions.conversion import finished, logits_of
from mskmodel.versions.learning import FOLDS, SETTINGS, Lessons, learned
from tests.drawn_pictures import CLASSES, QUICK, pictures, weights

PATIENTS = [f"patient-{number // 2}" for number in range(12)]


def lessons(phantoms: int = 9, exemplars: int = 6) -> Lessons:
    """Twelve corrections of six patients."""
    nothing = pictures(3).part(np.zeros(0, np.int64))
    parts = [pictures(count, seed=seed) if count else nothing for count, seed in ((phantoms, 1), (exemplars, 2))]
    return Lessons.of(pictures(12), PATIENTS, *parts)


def test_the_images_of_a_patient_are_in_one_fold_and_each_is_unseen_by_one_run() -> None:
    some = lessons()

    for patient in set(PATIENTS):
        assert len({int(some.folds[n]) for n, each in enumerate(PATIENTS) if each == patient}) == 1
    unseen = [some.unseen(fold) for fold in range(FOLDS)]
    for number, count in ((0, 12), (1, 9)):
        assert sorted(np.concatenate([each[number] for each in unseen]).tolist()) == list(range(count))


def test_a_run_draws_all_but_its_fold_and_every_exemplar() -> None:
    some = lessons()

    truths, rehearsal, exemplars = some.sources(1)

    assert truths.rows is not None
    assert rehearsal.rows is not None
    assert set(truths.rows) == set(range(12)) - set(some.unseen(1)[0])
    assert set(rehearsal.rows) == set(range(9)) - set(some.unseen(1)[1])
    assert (exemplars.rows, len(exemplars.labels)) == (None, 6)
    assert (truths.partial, rehearsal.partial, exemplars.partial) == (True, False, True)
    assert sum(source.share for source in some.sources(1)) == 1


def test_without_a_rehearsal_all_draws_are_corrections() -> None:
    (truths,) = lessons(0, 0).sources(0)
    both = lessons(9, 0).sources(0)

    assert truths.share == 1
    assert [source.name for source in both] == ["truths", "rehearsal"]


def test_many_corrections_get_more_of_the_draws_than_few() -> None:
    few = lessons().sources()[0].share
    many = Lessons.of(pictures(300), list(map(str, range(300))), pictures(9), pictures(6)).sources()[0].share

    assert few < many == 300 / 315


def moved(model: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Weights as a run may end with."""
    torch.manual_seed(seed)
    return {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in model.state_dict().items()}


def test_each_picture_is_answered_by_the_run_that_has_not_seen_it_and_the_version_is_the_mean_of_all() -> None:
    base, some, prepare = new_model(CLASSES, QUICK, weights()).eval(), lessons(), Preprocessing()
    runs = [moved(base, fold) for fold in range(FOLDS)]

    made = learned(base, runs, some, QUICK, prepare)

    for fold in range(FOLDS):
        alone = finished(averaged(base, [runs[fold]], 0.25), QUICK)
        for rows, answers, of in zip(
            some.unseen(fold), (made.corrections, made.phantoms), (some.corrections, some.phantoms), strict=True
        ):
            np.testing.assert_allclose(answers[rows], asked(alone, of.part(rows)), atol=1e-4)
    mean = {name: torch.stack([run[name] for run in runs]).mean(0) for name in runs[0]}
    expected = copy.deepcopy(base)
    kept = {name: 0.75 * mean[name] + 0.25 * tensor for name, tensor in base.state_dict().items()}
    expected.load_state_dict(kept)
    whole = asked(finished(expected, QUICK), some.corrections)
    np.testing.assert_allclose(asked(made.model, some.corrections), whole, atol=1e-4)
    assert len(made.logits) == 12 + 9


def asked(model: torch.nn.Module, some: Pictures) -> NDArray[np.float32]:
    return logits_of(model, some, Preprocessing())  # type: ignore[arg-type]


def test_what_started_fresh_keeps_nothing_of_its_start() -> None:
    base = new_model(CLASSES, QUICK, weights()).eval()
    run = moved(base, 1)

    made = learned(base, [run] * FOLDS, lessons(), QUICK, Preprocessing(), keeps=False)

    same = finished(averaged(base, [run], 0.0), QUICK)
    np.testing.assert_allclose(asked(made.model, pictures(3)), asked(same, pictures(3)), atol=1e-4)


def test_a_job_trains_as_little_as_fits_into_minutes() -> None:
    assert FOLDS * SETTINGS.epochs * SETTINGS.views <= 5000
