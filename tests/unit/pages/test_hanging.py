"""A study on the wall: by joint and side, AP left and lateral right, in words and without anything of the patient's."""

import json
from typing import Any

import pytest

from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, PREDICTION, SKIPPED, TRUTH, Outcome
from workers.metadata.truth import Statement, Truth
from workers.pages.hanging import hung


def labelled(label: str, side: str = "", **fields: Any) -> dict[str, str]:
    claims = {"claims": [{"field": "body part", "kind": "region", "terms": ["knee"]}], "side": side, "group": ""}
    outcome = Outcome(LABELLED, "0" * 32, 1, label=label, top5=((label, 0.9),), claims=claims, **fields)
    return {PREDICTION: outcome.to_json()}


def said(label: str | None, author: str, *, withdrawn: bool = False) -> dict[str, str]:
    return {TRUTH: Truth(Statement(label, author, "2026-11-28T10:15:00.000+00:00", withdrawn)).to_json()}


def test_rows_are_joints_and_sides_and_views_go_from_ap_to_lateral() -> None:
    found = hung(
        {
            "a": labelled("knee_lateral", "L"),
            "b": labelled("knee_ap", "L"),
            "c": labelled("knee_oblique", "L"),
            "d": labelled("knee_ap", "R"),
            "e": labelled("ankle_ap"),
            "f": {PREDICTION: Outcome(SKIPPED, "0" * 32, 1, reason="no pixel data").to_json()},
            "g": {},
        }
    )
    assert [(row.name, [one.instance for one in row.pictures]) for row in found] == [
        ("Ankle", ["e"]),
        ("Knee, right", ["d"]),
        ("Knee, left", ["b", "c", "a"]),
        ("Without a label of a joint", ["f", "g"]),
    ]
    assert [one.status for one in found[-1].pictures] == ["skipped: no pixel data", "waits to be labelled"]


def test_what_a_person_said_decides_where_a_picture_hangs_until_it_is_withdrawn() -> None:
    (row,) = hung({"a": labelled("knee_ap") | said("hand_ap", "anna")})
    assert (row.name, row.pictures[0].label, row.pictures[0].probability) == ("Hand", "Hand AP", "")
    assert row.pictures[0].history == ("anna said Hand AP 2026-11-28 10:15",)
    (row,) = hung({"a": labelled("knee_ap") | said(None, "anna", withdrawn=True)})
    assert (row.name, row.pictures[0].label, row.pictures[0].probability) == ("Knee", "Knee AP", "90 %")
    assert row.pictures[0].history == ("anna withdrew what was said 2026-11-28 10:15",)


def test_what_the_header_says_is_told_in_mapped_terms() -> None:
    (row,) = hung({"a": labelled("hand_ap", "R", disagreement=0.8)})
    assert (row.pictures[0].claimed, row.pictures[0].disagrees) == ("knee, right", True)


def test_metadata_of_other_software_harm_nothing() -> None:
    odd = '{"status": "labelled", "attachment_md5": "", "tries": 1, "claims": ["x"], "label": "knee_ap"}'
    abstained = Outcome(NEEDS_REVIEW, "", 1, reason="low confidence").to_json()
    (row, rest) = hung(
        {"a": {PREDICTION: odd}, "b": {PREDICTION: "[]", TRUTH: "nonsense"}, "c": {PREDICTION: abstained}}
    )
    assert (row.name, [one.status for one in rest.pictures]) == (
        "Knee",
        ["waits to be labelled", "left to a person: low confidence"],
    )


SENTENCE = "pixels: knee lateral 0.66; header says knee or leg, a code of the site; its siblings are an elbow AP 0.98, "


@pytest.mark.parametrize(
    ("sentence", "is_shown"),
    [
        (f"{SENTENCE}none of the classes 0.70 (hip 0.60) and 2 more: wrist pa 0.93", True),
        (f"{SENTENCE}Quincy 0.93", False),
        ("header says Magda", False),
        ("pixels: knee AP 0.90\n", False),
        (SENTENCE * 9, False),
    ],
)
def test_how_a_label_came_about_is_told_in_known_words(sentence: str, *, is_shown: bool) -> None:
    (row,) = hung({"a": labelled("wrist_pa", explanation=sentence)})
    assert row.pictures[0].explanation == (sentence if is_shown else "")


def test_text_that_somebody_else_wrote_to_orthanc_is_not_shown() -> None:
    name = "Quincy, Magda"
    claims = {"claims": [{"field": name, "kind": "region", "terms": [name]}], "side": name, "group": name}
    written = {"label": name, "top5": [[name, 0.9], ["knee_ap", 0.1]], "claims": claims}
    texts = {"reason": name, "explanation": name, "note": name, "model": name}
    outcome = json.loads(Outcome(LABELLED, "0" * 32, 1).to_json()) | written | texts
    assert "Quincy" not in repr(hung({"a": {PREDICTION: json.dumps(outcome)}}))
