"""Keys for what is rewritten: which they are, what they match, and what is left to headers."""

import pytest

from workers.dicomweb.matching import Query
from workers.records.shown import Shown

KNEE_AP = Shown("knee_ap", "R", "DX")


def query(*parameters: tuple[str, str]) -> Query:
    return Query.of(parameters)[0]


@pytest.mark.parametrize(
    ("name", "value", "matches"),
    [
        ("BodyPartExamined", "KNEE", True),
        ("BodyPartExamined", "knee", True),
        ("00180015", "KNEE", True),
        ("0018,0015", "KNEE", True),
        ("0018-0015", "KNEE", True),
        ("BodyPartExamined", "KN*", True),
        ("BodyPartExamined", "K?EE", True),
        ("BodyPartExamined", "*", True),
        ("BodyPartExamined", "LEG,KNEE", True),
        ("BodyPartExamined", "LEG\\KNEE", True),
        ("BodyPartExamined", "LEG", False),
        ("BodyPartExamined", "KNE", False),
        ("BodyPartExamined", "K.EE", False),
        ("BodyPartExamined", "K?E", False),
        ("ViewPosition", "AP", True),
        ("ViewPosition", "LL", False),
        ("SeriesDescription", "Knee AP, right", True),
        ("SeriesDescription", "*right", True),
        ("SeriesDescription", "Knee lateral*", False),
        ("ImageLaterality", "R", True),
        ("ImageLaterality", "L", False),
        ("AnatomicRegionSequence.CodeValue", "72696002", True),
        ("00082218.00080100", "72696002", True),
        ("AnatomicRegionSequence.CodeValue", "70258002", False),
        ("AnatomicRegionSequence.AnatomicRegionModifierSequence.CodeMeaning", "right", True),
        ("ViewCodeSequence.CodeValue", "399348003", True),
    ],
)
def test_a_key_matches_what_is_told(name: str, value: str, matches: bool) -> None:
    assert query((name, value)).left_to_header(KNEE_AP) == (() if matches else None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BodyPartExamined", ""),
        ("bodypartexamined", "KNEE"),
        ("PatientID", "x"),
        ("limit", "3"),
        ("includefield", "BodyPartExamined"),
        ("BodyPartExamined.Nonsense", "x"),
        ("", ""),
        ("a.b", "c"),
    ],
)
def test_other_parameters_are_left_to_orthanc(name: str, value: str) -> None:
    assert Query.of([(name, value)]) == (Query(()), [(name, value)])


def test_all_keys_must_match() -> None:
    assert query(("BodyPartExamined", "KNEE"), ("ViewPosition", "LL")).left_to_header(KNEE_AP) is None


def test_an_attribute_of_which_the_label_says_nothing_is_left_to_the_header() -> None:
    asked = query(("BodyPartExamined", "WRIST"), ("ViewPosition", "AP"))
    body_part, view_position = asked.keys
    assert asked.left_to_header(Shown("wrist")) == (view_position,)
    assert asked.left_to_header(Shown("")) == (body_part, view_position)


def test_labels_that_match_are_found_by_side_and_kind() -> None:
    asked = query(("BodyPartExamined", "KNEE"), ("ImageLaterality", "R"))
    body_part, laterality = asked.keys
    found = asked.by_label()
    (nothing_left,) = found[()]
    assert nothing_left.labels >= {"knee_ap", "knee_lateral"} and "ankle_ap" not in nothing_left.labels
    assert (nothing_left.side, nothing_left.is_cr) == ("R", False)
    # Where the side is unknown, or a CR's, the header is left to say it.
    of_cr = {(side, True) for side in ("", "R", "L", "B")}
    assert {(wanted.side, wanted.is_cr) for wanted in found[(laterality,)]} == of_cr | {("", False)}
    # Where a label names no region.
    assert [wanted.labels for wanted in found[(body_part,)]] == [{"several_views"}]
