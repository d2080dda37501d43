"""What a form asks for becomes the request of a job; what is missing for one is said."""

import pytest

from workers.jobs.request import InvalidRequest, JobRequest
from workers.pages.jobs_view import asked, learnable
from workers.records.new_truths import Said

CLASSES = ("knee_ap", "own_view")


def test_the_fields_of_the_form_become_a_request() -> None:
    form = {"from": "new", "epochs": "3", "rehearsal": "0", "class-odd_ap": "1", "approve": "1", "csrf": "x"}
    request = asked(form, CLASSES, ["a", "b"])
    assert (request.epochs, request.rehearsal, request.approve) == (3, 0, True)
    assert (request.instances, request.classes) == (("a", "b"), (*CLASSES, "odd_ap"))
    assert asked({"from": "all"}, CLASSES, []) == JobRequest()


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"epochs": "many"}, "epochs must be a whole number"),
        ({"epochs": "0"}, "epochs must be a number from 1"),
        ({"views": "٣"}, "must be a whole number"),
        ({"from": "new"}, "nothing new was said"),
        ({"class-a b": "1"}, "cannot be a class"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(form: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        asked(form, CLASSES, [])


def test_what_is_missing_is_what_phantoms_do_not_make_up_for() -> None:
    said = [Said("own_view", 2, 1), Said("odd_ap", 7, 7), Said("chest", 1, 1), Said("none", 4, 0)]
    learnt = learnable(said, CLASSES, ("chest",), JobRequest())
    found = {each.key: (each.count, each.new, each.missing) for each in learnt}
    assert found["knee_ap"] == (0, 0, "")
    assert found["own_view"] == (2, 1, "3 more")
    assert found["odd_ap"] == (7, 7, "not a class of the served version: tick it below to have it learned")
    assert found["chest"] == (1, 1, "learned as one of none of the classes: tick it below to make it a class")
    assert list(found) == ["knee_ap", "own_view", "chest", "odd_ap", "none"]
    without = learnable(said, CLASSES, (), JobRequest(rehearsal=0))
    assert without[0].missing.startswith("5 more")
