"""What is kept with a version: its answers, to be compared with any other's, and a report that people read."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mskmodel.data.dataset import STORED, Pictures
from mskmodel.network.alexnet import expanded, with_outputs
from mskmodel.registry import REPORT, SHIPPED
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.versions.beside import beside, identifiers
from mskmodel.versions.comparison import ANSWERS, ComparisonError, Said, compare
from mskmodel.versions.conversion import logits_of
from mskmodel.versions.version_report import reports

CLASSES = ("knee_ap", "knee_lateral")
MANIFEST = {
    "classes": CLASSES,
    "starting_weights": "version shipped",
    "training": {"epochs": 3, "rate": 0.01},
    "data": [{"name": "instances", "count": 40, "share": 0.5}],
    "holdout": {"count": 4},
}


def logits(*best: int) -> NDArray[np.float32]:
    return np.eye(3, dtype=np.float32)[list(best)] * 9


def said(version: str, *best: int, pictures: tuple[str, ...] = ("a", "b", "c", "d")) -> Said:
    """The truth is 0, 0, 1, none; ``best`` 2 is no label."""
    return Said.of(version, logits(*best), Decision(), CLASSES, pictures, (*("knee_ap",) * 2, "knee_lateral", None))


def pictures(count: int) -> Pictures:
    values = np.random.default_rng(1).integers(0, 255, (count, STORED, STORED)).astype(np.uint8)
    return Pictures(values, np.full((count, 2), (STORED, 200), np.int16), np.array([0, 0, 1, 2][:count], np.int64))


def test_two_versions_are_compared_picture_by_picture() -> None:
    comparison = compare(said("old", 0, 1, 1, 0), said("new", 0, 0, 1, 2), CLASSES, CLASSES)

    assert comparison.labels.tolist() == [0, 0, 1, 2]
    assert comparison.differs.tolist() == [False, True, False, True]
    assert (comparison.verdict.overall.won, comparison.verdict.overall.lost) == (2, 0)
    assert comparison.to_json()["against"] == "old"


def test_versions_of_different_hold_outs_are_compared_on_what_both_were_shown() -> None:
    old = said("old", 1, 0, 0, 2, pictures=("x", "c", "b", "y"))
    comparison = compare(old, said("new", 0, 1, 1, 2), CLASSES, CLASSES)

    assert comparison.new.pictures == ("b", "c")
    assert comparison.old.likeliest == ("knee_ap", "knee_ap")
    assert comparison.new.likeliest == ("knee_lateral", "knee_lateral")
    assert comparison.labels.tolist() == [0, 1]
    with pytest.raises(ComparisonError, match="no picture in common"):
        compare(said("old", 0, 0, 1, 2, pictures=("w", "x", "y", "z")), said("new", 0, 0, 1, 2), CLASSES, CLASSES)


def test_a_class_unknown_to_the_old_version_is_one_that_it_has_wrong() -> None:
    old = Said.of("old", np.eye(2, dtype=np.float32)[[0]] * 9, Decision(), ("elbow_ap",), ("a",), (None,))
    new = Said.of("new", logits(0), Decision(), CLASSES, ("a",), ("knee_ap",))

    assert compare(old, new, CLASSES, CLASSES).verdict.overall.won == 1


def test_answers_are_kept_and_found_again(tmp_path: Path) -> None:
    (tmp_path / ANSWERS).write_bytes(said("", 0, 0, 1, 2).to_json())

    found = Said.load(tmp_path, "some version")

    assert found.version == "some version"
    assert found.truths == ("knee_ap", "knee_ap", "knee_lateral", None)
    assert found.labelled.tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no answers are kept with v"),
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"pictures":["a"],"truths":[],"likeliest":[],"confidence":[],"labelled":[]}', "is damaged"),
    ],
)
def test_answers_that_are_missing_or_damaged_are_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / ANSWERS).write_bytes(content)

    with pytest.raises(ComparisonError, match=reason):
        Said.load(tmp_path, "v")


def test_a_model_is_compared_with_the_served_version_on_its_hold_out() -> None:
    served = Classifier.load(SHIPPED, "cpu")
    held_out = replace(pictures(3), labels=np.array([0, 1, len(served.classes)], np.int64))
    never = replace(served.decision, threshold=1.1)

    phantoms = np.array([False, True, True])
    answers = logits_of(served.model, held_out, served.preprocessing)
    comparison = beside(served, answers, never, served.classes, held_out, phantoms)

    assert comparison.new.likeliest == comparison.old.likeliest
    assert not comparison.new.labelled.any()
    assert comparison.differs.tolist() == comparison.old.labelled.tolist()
    assert comparison.new.truths == ("ankle_ap", "ankle_lateral", None)


def test_what_the_served_version_learned_from_is_judged_by_what_was_said_before_it_did() -> None:
    served = Classifier.load(SHIPPED, "cpu")
    judged = replace(pictures(3), labels=np.array([0, 1, 13], np.int64))
    names = identifiers(judged)
    before = Said(
        "v", (names[2], names[0]), (None, "ankle_ap"), ("elbow_ap", "hand_ap"), np.array([0.3, 0.4]), np.full(2, False)
    )

    logits = logits_of(served.model, judged, served.preprocessing)
    live, fair = (
        beside(served, logits, served.decision, served.classes, judged, np.full(3, False), kept)
        for kept in (None, before)
    )

    assert fair.old.likeliest == ("hand_ap", live.old.likeliest[1], "elbow_ap")
    assert fair.old.confidence.tolist() == pytest.approx([0.4, live.old.confidence[1], 0.3], rel=1e-4)
    assert fair.new.likeliest == live.new.likeliest


def test_a_class_that_is_added_does_not_make_up_for_the_others() -> None:
    classes = tuple(f"class-{n}" for n in range(14))
    known = [key for key in classes[:13] for _ in range(4)]
    pictures = tuple(str(number) for number in range(52 + 60))
    truths = (*known, *[classes[13]] * 60)
    before = (*known, *[classes[0]] * 60)
    sure, yes = np.ones(112), np.full(112, True)
    old = Said("old", pictures, truths, before, sure, yes)
    new = Said("new", pictures, truths, (classes[13],) * 112, sure, yes)

    verdict = compare(old, new, classes, classes[:13]).verdict

    assert verdict.overall.won > verdict.overall.lost
    assert not verdict.passed
    assert "that the version before knows, taken together, are worse: 0 of 52 right, before 52" in verdict.reasons[0]


def test_classes_that_are_given_up_are_named() -> None:
    served = Classifier.load(SHIPPED, "cpu")
    one = replace(pictures(1), labels=np.array([0], np.int64))
    fewer = served.classes[:-1]
    model = with_outputs(expanded(served.model), len(fewer) + 1)

    answers = logits_of(model, one, served.preprocessing)
    comparison = beside(served, answers, served.decision, fewer, one, np.array([False]))

    assert comparison.verdict.limits[-1] == f"no longer among the classes: {served.classes[-1]}"


def test_the_same_pixels_have_the_same_identifier_in_every_hold_out() -> None:
    held_out = pictures(3)

    assert identifiers(held_out.part(np.array([2, 0]))) == [identifiers(held_out)[2], identifiers(held_out)[0]]
    assert len(set(identifiers(held_out))) == 3


def test_the_report_shows_verdict_curves_confusion_and_what_differs() -> None:
    held_out = pictures(4)
    comparison = compare(said("20260101T000000Z-0123456789ab", 0, 1, 1, 0), said("", 1, 0, 1, 2), CLASSES, CLASSES)

    kept = reports(MANIFEST, comparison, [1.0, 0.5], [0.5, 0.9], held_out)

    page = kept[REPORT].decode()
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    assert "Not worse: 3 of 4 right, before 2 (lost 1, won 2)" in text
    assert "4 pictures are too few to tell" in text
    assert "against 20260101T000000Z-0123456789ab" in text
    assert page.count("<svg") == 4, "loss, accuracy, and a confusion matrix of each"
    assert page.count("data:image/png;base64,") == 3
    first = page.index("data:image/png")
    assert "before: knee_ap 1.00" in page[first : page.index("</figure>", first)], "what was lost comes first"
    assert "3 of 4 images" in text
    assert "http" not in page.replace("http://www.w3.org/", "")
    assert kept[ANSWERS] == comparison.new.to_json()


def test_a_report_of_two_versions_that_say_the_same_says_so() -> None:
    same = said("", 0, 0, 1, 2)

    page = reports(MANIFEST, compare(same, same, CLASSES, CLASSES), [], [], pictures(4))[REPORT].decode()

    assert "Both versions say the same of every image." in page
    assert "data:image/png" not in page


def test_a_report_of_thousands_of_differences_shows_the_worst_and_counts_the_rest() -> None:
    count = 1000
    names = tuple(map(str, range(count)))
    truths = ("knee_ap",) * count
    old = Said.of("old", logits(*(0,) * count), Decision(), CLASSES, names, truths)
    new = Said.of("", logits(*(1,) * count), Decision(), CLASSES, names, truths)
    small = Pictures(np.zeros((count, 8, 8), np.uint8), np.full((count, 2), 8, np.int16), np.zeros(count, np.int64))

    page = reports(MANIFEST, compare(old, new, CLASSES, CLASSES), [], [], small)[REPORT].decode()

    assert "Refused by the gate" in page
    assert "1000 of 1000 images, 120 of them below" in page
    assert page.count("data:image/png") == 120
