"""Outcomes as they are stored in Orthanc's metadata."""

from dataclasses import replace

import pytest

from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED, Outcome, Siblings

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
        region=("knee", 0.98),
        pixels={"knee_ap": 0.9, "none": 0.1},
        siblings=Siblings("0" * 16, 1, True, "elbow_ap"),
    )
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_field_that_a_newer_version_added_does_not_hurt() -> None:
    text = Outcome(SKIPPED, MD5, tries=1).to_json().replace("{", '{"side":"L",', 1)
    assert Outcome.from_json(text).status == SKIPPED


def test_an_outcome_of_the_first_schema_is_read() -> None:
    text = (
        '{"status":"labelled","attachment_md5":"0","tries":1,"label":"knee_ap","confidence":0.97,'
        '"top5":[["knee_ap",0.97]],"model":"v1","header":{"body_part":"HAND"},"header_disagrees":true}'
    )
    outcome = Outcome.from_json(text)
    assert (outcome.schema, outcome.label, outcome.disagreement, outcome.pixels) == (1, "knee_ap", 1.0, {})
    assert Outcome.from_json(text.replace("true", "null")).disagreement is None


@pytest.mark.parametrize("text", ["", "knee", "[]", "{}", '{"status": "labelled"}'])
def test_what_is_no_outcome_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|lacks a status"):
        Outcome.from_json(text)


def test_the_same_file_is_labelled_once_by_each_model() -> None:
    labelled = Outcome(LABELLED, MD5, tries=1, label="knee_ap", model="v1")
    assert labelled.covers(MD5, "v1")
    assert not labelled.covers(MD5, "v2"), "a new model looks again"
    assert not labelled.covers("0" * 32, "v1"), "another file was stored in its place"
    assert not replace(labelled, schema=1).covers(MD5, "v1"), "evidence was not asked"
    assert Outcome(SKIPPED, MD5, tries=1).covers(MD5, "v2"), "no model makes a CT a radiograph"
    assert not Outcome(FAILED, MD5, tries=3).covers(MD5, "v1"), "asked again, it is tried again"


def test_the_orthanc_label_is_the_class_or_else_the_status() -> None:
    assert Outcome(LABELLED, MD5, tries=1, label="knee_lateral").orthanc_label == "msk-knee-lateral"
    assert Outcome(NEEDS_REVIEW, MD5, tries=1).orthanc_label == "msk-needs-review"
