"""The gate: what may be promoted, and why not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mskmodel.judging.gate import NONE, Paired, Predictions, Verdict, judge, judge_answers
from mskmodel.registry.decision import Decision

CLASSES = ("knee_ap", "knee_lateral")


def right(*runs: tuple[int, bool]) -> NDArray[np.bool_]:
    return np.concatenate([np.full(count, value) for count, value in runs])


def labels(knees: int, laterals: int, none: int = 0) -> NDArray[np.int64]:
    return np.repeat([0, 1, 2], [knees, laterals, none]).astype(np.int64)


def answers(likeliest: NDArray[np.int64], *, labelled: bool = True, confidence: float = 1.0) -> Predictions:
    count = len(likeliest)
    return Predictions(likeliest, np.full(count, labelled), np.full(count, confidence))


def test_the_chance_is_that_of_the_exact_binomial_test() -> None:
    old, new = right((9, True), (1, False), (30, True)), right((9, False), (1, True), (30, True))

    pair = Paired.of("all", old, new)

    assert (pair.lost, pair.won) == (9, 1)
    assert pair.p_worse == pytest.approx(11 / 1024)  # ten or nine heads of ten
    assert Paired.of("all", new, old).p_worse == pytest.approx(1023 / 1024)
    assert Paired.of("all", old, old).p_worse == 1


def test_a_better_version_passes() -> None:
    verdict = judge(right((15, True), (5, False)), right((20, True)), labels(10, 10), CLASSES)

    assert verdict.passed
    assert "20 of 20 right, before 15" in verdict.reasons[0]
    assert verdict.limits == ()


def test_the_same_version_again_passes() -> None:
    same = right((18, True), (2, False))

    assert judge(same, same, labels(10, 10), CLASSES).passed


def test_one_picture_less_is_refused_though_it_may_be_chance() -> None:
    verdict = judge(right((20, True)), right((19, True), (1, False)), labels(10, 10), CLASSES)

    assert not verdict.passed
    assert verdict.reasons == ("worse overall: 19 of 20 right, before 20 (lost 1, won 0), p = 0.5",)


def test_a_class_that_is_given_up_for_another_is_refused_by_name() -> None:
    verdict = judge(right((10, True), (10, False)), right((10, False), (10, True)), labels(10, 10), CLASSES)

    assert not verdict.passed
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("knee_ap is worse: 0 of 10 right, before 10")


def test_the_verdict_in_one_sentence_names_the_whole_first_then_a_class_and_how_much_more_there_is() -> None:
    better = judge(right((15, True), (5, False)), right((20, True)), labels(10, 10), CLASSES)
    worse = judge(right((20, True)), right((10, False), (10, True)), labels(10, 10), CLASSES)
    swapped = judge(right((10, True), (10, False)), right((10, False), (10, True)), labels(10, 10), CLASSES)
    both = replace(swapped, reasons=(*swapped.reasons, "another", "a third"))

    right_on = "it is right on {} of 20 held-out images, and the version that was served then on {}"
    assert better.sentence == right_on.format(20, 15) + "; no class is worse beyond chance"
    assert worse.sentence == right_on.format(10, 20)
    assert swapped.sentence == swapped.reasons[0]
    assert both.sentence == f"{swapped.reasons[0]}, and 2 more reasons"
    assert "no image is held out" in judge(right((0, True)), right((0, True)), labels(0, 0), CLASSES).sentence


def test_a_class_that_is_worse_within_chance_passes() -> None:
    old, new = right((10, True), (10, False)), right((6, True), (4, False), (10, True))

    verdict = judge(old, new, labels(10, 10), CLASSES)

    assert verdict.passed
    assert verdict.classes[0].p_worse == pytest.approx(1 / 16)


def test_it_says_for_which_classes_there_are_too_few_pictures() -> None:
    verdict = judge(right((13, True)), right((13, True)), labels(10, 3), CLASSES)

    assert verdict.passed
    assert verdict.limits == ("too few were right before to notice a loss (fewer than 5): knee_lateral (3 of 3)",)
    (limit,) = judge(right((2, True)), right((2, True)), labels(2, 0), CLASSES).limits
    assert "2 pictures are too few" in limit


def test_nothing_held_out_is_no_reason_to_promote() -> None:
    verdict = judge(right((0, True)), right((0, True)), labels(0, 0), CLASSES)

    assert not verdict.passed
    assert "no picture is held out" in verdict.reasons[0]


def test_pictures_of_no_class_are_a_class_of_their_own() -> None:
    old, new = right((10, False), (10, True)), right((10, True), (10, False))

    verdict = judge(old, new, labels(10, 0, 10), CLASSES)

    assert not verdict.passed
    assert verdict.reasons[0].startswith(f"{NONE} is worse")


def test_a_version_that_leaves_everything_to_a_person_is_refused() -> None:
    truth = labels(10, 10)
    sure, silent = answers(truth), answers(truth, labelled=False)

    verdict = judge_answers(sure, silent, truth, CLASSES)

    assert judge(sure.right(truth, 2), silent.right(truth, 2), truth, CLASSES).passed
    assert not verdict.passed
    assert "a wrong one or none: 0 of 20 right, before 20" in verdict.reasons[0]
    assert judge_answers(silent, sure, truth, CLASSES).passed


def test_wins_on_what_was_corrected_do_not_make_up_for_losses_elsewhere() -> None:
    """A job's default hold-out has two or three phantoms of a class: too few to see one class go, enough for five."""
    classes = tuple(f"class-{n}" for n in range(13))
    phantoms = np.repeat(np.arange(13), 2)
    truth = np.concatenate([phantoms, np.full(10, 12)])
    old = answers(np.concatenate([phantoms, np.full(10, 0)]))
    new = answers(np.concatenate([np.where(phantoms < 5, 12, phantoms), np.full(10, 12)]))
    those = np.arange(36) < 26

    assert judge_answers(old, new, truth, classes).passed
    verdict = judge_answers(old, new, truth, classes, {"phantoms are": those})

    assert not verdict.passed
    assert verdict.reasons == ("phantoms are worse: 16 of 26 right, before 26 (lost 10, won 0), p = 0.00098",)
    assert judge_answers(old, old, truth, classes, {"phantoms are": those}).passed


def test_versions_of_other_classes_are_compared_by_name() -> None:
    logits = np.array([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0]], np.float32)

    said = Predictions.of(logits, Decision(), ("wrist_ap", "knee_ap"), CLASSES)

    assert said.likeliest.tolist()[:2] == [0, -1]
    assert said.labelled.tolist() == [True, True, False]
    assert said.right(np.array([0, 1, 2]), 2).tolist() == [True, False, True]


def test_a_verdict_survives_json() -> None:
    verdict = judge(right((20, True)), right((19, True), (1, False)), labels(10, 10), CLASSES)

    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_ten_thousand_pictures_that_changed_are_still_counted_exactly() -> None:
    old = right((5_100, True), (4_900, False))

    pair = Paired.of("all", old, ~old)

    assert pair.p_worse == pytest.approx(0.02333, abs=1e-4)  # the normal approximation says 0.0233


def test_kinds_of_none_of_the_classes_are_judged_as_none_of_them() -> None:
    said = Predictions(np.array([0, 1, 0, 1]), np.array([True, True, False, True]), np.ones(4))
    before = Predictions(np.array([0, 1, 0, 1]), np.full(4, True), np.ones(4))

    by_kind = judge_answers(before, said, np.array([0, 1, 3, 4]), CLASSES)

    assert by_kind == judge_answers(before, said, np.array([0, 1, 2, 2]), CLASSES)
    assert by_kind.classes[-1].label == NONE
    assert (by_kind.classes[-1].count, by_kind.classes[-1].new_right) == (2, 1)


def site(count: int = 60) -> tuple[NDArray[np.int64], Predictions]:
    """Corrections of both classes and of none of them, and a version that is right on two of three, unsure of none."""
    truth = np.arange(count) % 3
    likeliest = np.where(np.arange(count) % 9 < 6, truth % 2, 1 - truth % 2)
    confidence = np.where(truth == 2, 0.6, 0.9) - np.arange(count) % 7 / 20
    return truth, Predictions(likeliest, confidence >= 0.7, confidence)


def test_a_version_that_differs_by_its_threshold_alone_is_not_worse_at_every_threshold() -> None:
    truth, old = site()
    stricter = Predictions(old.likeliest, old.confidence >= 0.72, old.confidence / 2)

    assert judge_answers(old, stricter, truth, CLASSES).passed


def test_a_version_that_cannot_tell_none_of_the_classes_any_more_is_refused_though_it_labels_none_of_them() -> None:
    truth, old = site()
    confused = Predictions(old.likeliest, old.labelled, np.where(truth == 2, 0.95, old.confidence))

    verdict = judge_answers(old, confused, truth, CLASSES)

    assert not verdict.passed
    assert "less well from none of them, at whatever threshold" in verdict.reasons[0]


def test_corrections_and_phantoms_are_judged_apart() -> None:
    truth, old = site()
    both = np.concatenate([truth, truth % 2])
    phantoms = np.arange(120) >= 60
    known, other = answers(truth % 2), answers(1 - truth % 2)
    before, forgets, still = (
        Predictions(
            np.concatenate([one.likeliest, two.likeliest]),
            np.concatenate([one.labelled, two.labelled]),
            np.concatenate([one.confidence, two.confidence]),
        )
        for one, two in ((old, known), (answers(truth % 2), other), (old, known))
    )

    assert judge_answers(before, still, both, CLASSES, phantoms=phantoms).overall.count == 60
    assert judge_answers(before, still, both, CLASSES, phantoms=phantoms).passed
    verdict = judge_answers(before, forgets, both, CLASSES, phantoms=phantoms)
    assert not verdict.passed
    assert any("phantoms, which stand for what nobody corrected, are worse" in each for each in verdict.reasons)


def test_a_few_phantoms_may_be_lost() -> None:
    truth = np.zeros(200, np.int64)
    phantoms = np.arange(200) >= 20
    old, new = np.zeros(200, np.int64), np.zeros(200, np.int64)
    old[:10] = 1
    new[100:104] = 1

    def passes(likeliest: NDArray[np.int64]) -> bool:
        reasons = judge_answers(answers(old), answers(likeliest), truth, CLASSES, phantoms=phantoms).reasons
        return not any("phantoms" in each for each in reasons)

    assert passes(new)
    new[100:120] = 1
    assert not passes(new)


def test_phantoms_of_none_of_the_classes_are_judged_whatever_the_threshold() -> None:
    truth, phantoms = np.tile(labels(20, 20, 20), 2), np.arange(120) >= 60
    confidence = np.where(truth == 2, 0.4, 0.9)
    old, lower, mixed = (
        Predictions(truth % 2, said > threshold, said)
        for said, threshold in (
            (confidence, 0.5),
            (confidence, np.where(phantoms, 0.3, 0.5)),
            (np.where(phantoms & (truth == 2), 0.95, confidence), 0.5),
        )
    )

    assert judge_answers(old, lower, truth, CLASSES, phantoms=phantoms).passed
    assert judge_answers(old, mixed, truth, CLASSES, phantoms=phantoms).reasons[0].startswith("on phantoms it tells")


def test_labels_that_do_not_follow_from_the_images_are_no_reason_to_serve_what_learned_them() -> None:
    shuffled = np.random.default_rng(3).permutation(labels(20, 20))
    said = answers(labels(20, 20))

    verdict = judge_answers(said, said, shuffled, CLASSES)

    assert not verdict.passed
    assert "no more than if labels were shuffled" in verdict.reasons[0]
    assert judge_answers(said, said, labels(20, 20), CLASSES).passed


def test_twelve_images_refuse_nothing_by_chance_and_let_a_reversal_through_as_little() -> None:
    truth = np.arange(12) % 2
    mostly, reversed_ = np.where(np.arange(12) < 10, truth, 1 - truth), 1 - truth

    assert judge_answers(answers(mostly), answers(truth), truth, CLASSES).passed
    assert judge_answers(answers(mostly), answers(mostly), truth, CLASSES).passed
    assert not judge_answers(answers(mostly), answers(reversed_), truth, CLASSES).passed
    assert judge_answers(answers(truth[:2]), answers(truth[:2]), truth[:2], CLASSES).passed
