"""Which examinations are relevant, in which order, and why, in words."""

from datetime import datetime, timedelta

import pytest

from mskmodel.evidence.claim import REGION, Claim, Claims
from mskmodel.priors.examination import moment_of
from mskmodel.priors.picture import HEADER, NOBODY, PERSON, PIXELS, Picture
from mskmodel.priors.relevance import THRESHOLD, relevant
from mskmodel.priors.sentence import reasons, sentence
from tests.unit.priors.made import NOW, exam, header, prior, shows

KNEE = exam(shows("knee_ap", "R"), study="now")
LONG_AGO = NOW - timedelta(days=426)


def score(other: Picture, at: datetime | None = LONG_AGO) -> float:
    found = prior(KNEE, exam(other, at=at))
    return found.score if found else 0.0


def test_the_same_joint_and_view_is_told_in_words() -> None:
    lying = Picture.of("", None, "knee_ap", header("leg", side="R"))
    found = prior(KNEE, exam(lying, at=LONG_AGO))
    assert found
    assert sentence(found) == "same knee, same view, 14 months earlier; told by its pixels, the header says leg"
    assert reasons(found) == [
        "same knee", "same view", "14 months earlier", "told by its pixels", "the header says leg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (shows("knee_lateral", "R"), "same knee, another view, 14 months earlier; told by its pixels"),
        (shows("knee_ap"), "same knee, side not known, same view, 14 months earlier; told by its pixels"),
        (shows("knee_ap", "B"), "same knee, both sides, same view, 14 months earlier; told by its pixels"),
        (shows("patella", "R"), "patella beside knee of the same side, 14 months earlier; told by its pixels"),
        (shows("lower_leg"), "lower leg beside knee, side not known, 14 months earlier; told by its pixels"),
        (
            Picture.of("", "knee_ap", "elbow_ap", header("elbow", "lateral", "R")),
            "same knee, same view, 14 months earlier; told by a person, the header says elbow, lateral",
        ),
        (
            Picture.of("", None, None, header("knee", side="R"), "CT"),
            "same knee, by CT, 14 months earlier; told by its header alone",
        ),
    ],
)
def test_each_reason_is_told(other: Picture, said: str) -> None:
    current = exam(Picture.of("", None, "knee_ap", header(side="R"), "CR"))
    found = prior(current, exam(other, at=LONG_AGO))
    assert found and sentence(found) == said


def test_order_follows_region_side_view_modality_and_age() -> None:
    best = score(shows("knee_ap", "R"))
    unknown, view, neighbour = score(shows("knee_ap")), score(shows("knee_lateral", "R")), score(shows("patella", "R"))
    older = score(shows("knee_ap", "R"), NOW - timedelta(days=9000))
    assert 1 > best > unknown > view > neighbour > THRESHOLD
    assert best > older > 0.7


def test_the_other_side_is_not_relevant_whatever_else_fits() -> None:
    assert prior(KNEE, exam(shows("knee_ap", "L"), at=NOW - timedelta(days=1))) is None
    assert prior(KNEE, exam(shows("patella", "L"))) is None
    both = exam(shows("knee_ap", "L"), shows("knee_ap", "R"), at=LONG_AGO)
    assert prior(KNEE, both), "one of two knees is the same"


def test_sides_of_what_has_none_do_not_count() -> None:
    pelvis = exam(shows("pelvis_ap", "R"), at=LONG_AGO)
    assert prior(exam(shows("pelvis_ap", "L")), pelvis)
    assert prior(exam(shows("hip", "L")), pelvis)


def test_a_picture_of_unknown_side_has_the_side_of_its_study() -> None:
    left = exam(shows("knee_ap", "L"), shows("knee_lateral"), at=LONG_AGO)
    assert prior(KNEE, left) is None
    mixed = exam(shows("knee_ap", "L"), shows("knee_ap", "R"), shows("knee_lateral"), at=LONG_AGO)
    assert [one.side for one in mixed.pictures] == ["L", "R", ""]
    twice = exam(shows("knee_ap", "L"), shows("knee_ap"), shows("knee_lateral"))
    assert [one.side for one in twice.pictures] == ["L", "", "L"], "a second AP may be the other knee"


def test_what_a_person_said_counts_before_the_label_and_that_before_the_header() -> None:
    said = header("elbow", "lateral", "R")
    pictures = [Picture.of("", truth, label, said) for truth, label in (("knee_ap", "hand_ap"), (None, "hand_ap"))]
    assert [(one.regions, one.told_by) for one in pictures] == [(("knee",), PERSON), (("hand",), PIXELS)]
    for truth, label in ((None, None), ("none", "hand_ap"), (None, "several_views")):
        one = Picture.of("", truth, label, said)
        assert (one.regions, one.views, one.told_by) == (("elbow",), ("lateral",), HEADER)
    assert Picture.of("", None, "wrist", header("hand", "lateral")).views == ("lateral",), "the label names no view"


def test_the_side_that_a_person_said_counts_before_the_headers() -> None:
    said = Picture.of("", "knee_ap", None, header(side="L"), side="R")
    assert prior(KNEE, exam(said, at=LONG_AGO))
    assert Picture.of("", "knee_ap", None, header(side="L")).side == "L"


def test_the_region_that_the_model_sees_counts_where_it_gives_no_label() -> None:
    said = header("elbow", "lateral")
    for truth in (None, "none"):
        one = Picture.of("", truth, None, said, region="knee")
        assert (one.regions, one.views, one.told_by) == (("knee",), ("lateral",), PIXELS)
    assert Picture.of("", "hand_ap", None, said, region="knee").regions == ("hand",)


def test_what_nobody_tells_is_not_relevant() -> None:
    unknown = Picture.of("", None, None, None)
    code = Picture.of("", None, None, Claims((Claim("body part", REGION, ("#0123456789ab",)),)))
    assert unknown.told_by == code.told_by == NOBODY
    assert prior(KNEE, exam(unknown)) is prior(KNEE, exam(code)) is prior(exam(unknown), exam(unknown)) is None


def test_a_header_may_mean_one_of_several() -> None:
    either = Picture.of("", None, None, header("hand wrist", "ap lateral", "R"))
    found = prior(exam(shows("wrist", "R")), exam(either, at=LONG_AGO))
    assert found and found.best.likeness.beside == "wrist" and not found.best.likeness.is_neighbour
    assert Picture.of("", None, None, header("leg knee")).regions == ("knee",), "the finer word counts"


def test_regions_that_do_not_go_together_are_not_relevant() -> None:
    assert not relevant(KNEE, [exam(shows(label, "R"), at=LONG_AGO) for label in ("hand_ap", "chest", "foot_ap")])


@pytest.mark.parametrize(
    ("current", "other", "is_earlier"),
    [
        ("2026-11-28T09:30:00", "2026-11-28T09:29:59", True),
        ("2026-11-28T09:30:00", "2026-11-28T09:30:01", False),
        ("2026-11-28T00:00:00", "2026-11-28T09:30:01", True),  # of the current one only the day is known
        ("2026-11-28T09:30:00", "2026-11-28T00:00:00", True),
        ("2026-11-28T09:30:00", "2026-11-29T00:00:00", False),
        ("2026-11-28T09:30:00", "9999-12-31T23:59:59", False),
        ("2026-11-28T09:30:00", "", True),
        ("", "2026-11-29T00:00:00", True),
    ],
)
def test_only_what_is_earlier_or_may_be_is_a_prior(current: str, other: str, is_earlier: bool) -> None:
    now, then = (exam(shows("knee_ap"), at=moment_of(text)) for text in (current, other))
    assert (prior(now, then) is not None) == is_earlier


@pytest.mark.parametrize("text", [None, "", "yesterday", "0001-01-01T00:00:00", "1894-12-31", "2026-13-01"])
def test_a_date_that_cannot_be_is_not_known(text: str | None) -> None:
    assert moment_of(text) is None
    found = prior(KNEE, exam(shows("knee_ap", "R"), at=moment_of(text)))
    assert found and found.age is None and "date not known" in sentence(found)


@pytest.mark.parametrize(
    ("days", "said"),
    [(0, "the same day"), (1, "1 day"), (13, "13 days"), (14, "2 weeks"), (59, "8 weeks"), (61, "2 months"),
     (729, "24 months"), (1461, "4 years"), (36000, "99 years")],
)  # fmt: skip
def test_ages_are_told_in_fitting_units(days: int, said: str) -> None:
    found = prior(KNEE, exam(shows("knee_ap", "R"), at=NOW - timedelta(days=days)))
    assert found and f", {said}" in sentence(found)


def test_pictures_hang_beside_their_own_kind_each_once() -> None:
    current = exam(shows("knee_ap", "R", "a"), shows("knee_lateral", "R", "b"), shows("foot_ap", "R", "c"))
    knees = shows("knee_lateral", "R", "x"), shows("knee_ap", "R", "y"), shows("knee_ap", "L", "z")
    other = exam(*knees, shows("toes", "R", "t"), at=LONG_AGO)
    found = prior(current, other)
    assert found and [(pair.current.name, pair.prior.name) for pair in found.pairs] == [("a", "y"), ("b", "x")]


def test_a_series_that_is_known_by_its_header_alone_is_no_picture_to_hang() -> None:
    found = prior(KNEE, exam(Picture.of("", None, None, header("knee"), "MR"), at=LONG_AGO))
    assert found and found.pairs == ()


def test_the_most_relevant_comes_first_and_then_the_newest() -> None:
    others = [
        exam(shows("knee_lateral", "R"), at=LONG_AGO, study="view"),
        exam(shows("knee_ap", "R"), at=None, study="undated"),
        exam(shows("knee_ap", "R"), at=NOW - timedelta(days=20000), study="ancient"),
        exam(shows("knee_ap", "R"), at=LONG_AGO, study="best"),
    ]
    assert [found.examination.study for found in relevant(KNEE, others)] == ["best", "ancient", "undated", "view"]
