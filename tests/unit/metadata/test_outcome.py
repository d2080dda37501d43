"""Outcomes as they are stored in Orthanc's metadata."""

import pytest

from workers.labelling.header_check import disagrees
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED, Outcome

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def test_an_outcome_survives_the_way_through_metadata() -> None:
    outcome = Outcome(
        LABELLED,
        MD5,
        tries=1,
        label="knee_ap",
        confidence=0.97,
        top5=(("knee_ap", 0.97), ("ankle_ap", 0.01)),
        model="v1",
        header={"body_part": "KNEE"},
        header_disagrees=False,
    )
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_field_that_a_newer_version_added_does_not_hurt() -> None:
    text = Outcome(SKIPPED, MD5, tries=1).to_json().replace("{", '{"side":"L",', 1)
    assert Outcome.from_json(text).status == SKIPPED


@pytest.mark.parametrize("text", ["", "knee", "[]", "{}", '{"status": "labelled"}'])
def test_what_is_no_outcome_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|lacks a status"):
        Outcome.from_json(text)


def test_the_same_file_is_labelled_once_by_each_model() -> None:
    labelled = Outcome(LABELLED, MD5, tries=1, label="knee_ap", model="v1")
    assert labelled.covers(MD5, "v1")
    assert not labelled.covers(MD5, "v2"), "a new model looks again"
    assert not labelled.covers("0" * 32, "v1"), "another file was stored in its place"
    assert Outcome(SKIPPED, MD5, tries=1).covers(MD5, "v2"), "no model makes a CT a radiograph"
    assert not Outcome(FAILED, MD5, tries=3).covers(MD5, "v1"), "asked again, it is tried again"


def test_the_orthanc_label_is_the_class_or_else_the_status() -> None:
    assert Outcome(LABELLED, MD5, tries=1, label="knee_lateral").orthanc_label == "msk-knee-lateral"
    assert Outcome(NEEDS_REVIEW, MD5, tries=1).orthanc_label == "msk-needs-review"


@pytest.mark.parametrize(
    ("label", "body_part", "view_position", "expected"),
    [
        ("knee_ap", "KNEE", "AP", False),
        ("knee_ap", "knee", "", False),
        ("hand_ap", "HAND", "PA", False),
        ("knee_lateral", "KNEE", "LATERAL", False),
        ("knee_lateral", "", "RL", False),
        ("knee_ap", "KNEE", "LL", True),
        ("knee_ap", "LEG", "AP", True),
        ("knee_ap", "EXTREMITY", "", None),
        ("knee_ap", "", "", None),
        ("wrist_ap", "KNEE", "AP", None),
    ],
)
def test_a_header_disagrees_only_where_it_says_something_else(
    label: str, body_part: str, view_position: str, expected: bool | None
) -> None:
    assert disagrees(label, body_part, view_position) is expected
