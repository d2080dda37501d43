"""What counts as a truth, and who may say it."""

import json

import pytest

from workers.metadata.truth import BadTruth, Statement, Truth, checked_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"label": "knee_ap", "author": "reviewer"}', "knee_ap"),
        ('{"label": "patella_skyline"}', "patella_skyline"),
        ('{"label": null}', None),
    ],
)
def test_a_truth_that_other_software_wrote_counts_if_it_can_be_read(text: str, label: str | None) -> None:
    truth = Truth.of({"MskTruth": text})
    assert truth is not None
    assert truth.label == label


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "a label/with what Orthanc takes in no label"}',
        '{"author": "nobody"}',
        '{"label": "knee_ap", "history": "long"}',
        '{"label": "knee_ap", "history": [1]}',
        '{"label": 7}',
        '{"label": "knee_ap", "withdrawn": true}',
        "knee_ap",
        "[]",
        "[" * 100_000,
    ],
)
def test_metadata_that_cannot_be_read_is_no_truth(text: str) -> None:
    assert Truth.of({"MskTruth": text}) is None


def test_no_metadata_is_no_truth() -> None:
    assert Truth.of({}) is None


def test_a_truth_comes_back_as_it_was_written() -> None:
    first = Truth(Statement("knee_ap", "a", "2026-01-01T00:00:00.000+00:00"))
    second = first.followed_by(Statement(None, "b", "2026-01-02T00:00:00.000+00:00"))
    assert Truth.from_json(second.to_json()) == second
    assert json.loads(second.to_json()) == {
        "label": None,
        "author": "b",
        "time": "2026-01-02T00:00:00.000+00:00",
        "history": [{"label": "knee_ap", "author": "a", "time": "2026-01-01T00:00:00.000+00:00"}],
    }


def test_a_side_that_is_none_counts_as_not_said() -> None:
    assert Truth.from_json('{"label": "knee_ap", "side": "R"}').side == "R"
    assert Truth.from_json('{"label": "knee_ap", "side": "right"}').side == ""
    assert Truth.from_json('{"label": "knee_ap", "side": 1}').side == ""


def test_the_orthanc_label_says_what_the_person_said() -> None:
    assert Truth(Statement("knee_ap", "a", "")).orthanc_label == "msk-knee-ap"
    assert Truth(Statement(None, "a", "")).orthanc_label == "msk-none"


def test_only_classes_are_labels_and_empty_is_none_of_them() -> None:
    assert checked_label("knee_ap", ["knee_ap"]) == "knee_ap"
    assert checked_label("", ["knee_ap"]) is None
    with pytest.raises(BadTruth, match="knee_lat is not among the classes: elbow_ap, knee_ap"):
        checked_label("knee_lat", ["knee_ap", "elbow_ap"])


def test_a_name_in_the_wrong_column_is_not_repeated() -> None:
    with pytest.raises(BadTruth) as error:
        checked_label("Quincy^Jane", ["knee_ap"])
    assert "Quincy" not in str(error.value)
