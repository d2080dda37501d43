"""What our configuration of OHIF hangs where, asked in a browser without OHIF: of display sets, made up."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from mskmodel.dicom.view_attributes import view_attributes
from mskmodel.labels import BY_KEY
from workers.viewer.configuration import app_config

#: Stands for OHIF: what an extension gets of it, and its naming of attributes by keyword.
ASK = """([studies, images]) => {
  const attributes = {};
  const displaySets = images.map((image) => ({
    displaySetInstanceUID: image.name, StudyInstanceUID: image.StudyInstanceUID, instances: [image],
  }));
  const services = {
    displaySetService: { getActiveDisplaySets: () => displaySets },
    hangingProtocolService: { addCustomAttribute: (id, _name, callback) => { attributes[id] = callback; } },
  };
  window.config.extensions[0].preRegistration({ servicesManager: { services } });
  const options = { studies: studies.map((StudyInstanceUID) => ({ StudyInstanceUID })) };
  const places = displaySets.map((each) => [each.displaySetInstanceUID, attributes.mskPlace(each, options)]);
  return { grid: attributes.mskGrid({}, options), places: Object.fromEntries(places.filter(([, place]) => place)) };
}"""
CURRENT, PRIOR = "current", "prior"


def image(name: str, label: str = "", side: str = "", study: str = CURRENT, **header: str) -> dict[str, Any]:
    """As OHIF knows an image that is labelled so: attributes by keyword, above those of its header."""
    told = view_attributes(BY_KEY[label], side, "CR") if label else {}
    attributes = {element.keyword: json.loads(json.dumps(_value(element.value))) for element in told}
    identity = {"name": name, "SOPInstanceUID": name, "StudyInstanceUID": study, "Modality": "CR"}
    return identity | header | attributes


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    return [{element.keyword: _value(element.value) for element in item} for item in value]


@pytest.fixture(scope="module")
def configured(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    page.add_script_tag(content=app_config("/ohif/", "/dicom-web"))
    yield page
    page.close()


def hung(page: Page, *images: dict[str, Any], studies: tuple[str, ...] = (CURRENT,)) -> tuple[str, dict[str, str]]:
    """The grid, and the place of each image in it: of which study, row and column."""
    found = page.evaluate(ASK, [studies, images])
    return found["grid"], found["places"]


def test_ap_is_left_and_lateral_right_whatever_the_header_says(configured: Page) -> None:
    swapped = (
        image("a", "knee_lateral", BodyPartExamined="LEG", ViewPosition="AP"),
        image("b", "knee_ap", BodyPartExamined="LEG", ViewPosition="LL"),
    )
    assert hung(configured, *swapped) == ("1x2", {"b": "current 0 0", "a": "current 0 1"})


def test_each_joint_and_side_has_a_row_and_the_same_view_is_below_the_same_view(configured: Page) -> None:
    images = (
        image("left lateral", "knee_lateral", "L"),
        image("right lateral", "knee_lateral", "R"),
        image("right oblique", "knee_oblique", "R"),
        image("right ap", "knee_ap", "R"),
        image("ankle ap", "ankle_ap"),
    )
    expected = {
        "ankle ap": "current 0 0",
        "right ap": "current 1 0",
        "right oblique": "current 1 1",
        "right lateral": "current 1 2",
        "left lateral": "current 2 2",
    }
    assert hung(configured, *images) == ("3x3", expected)


def test_an_axillary_shoulder_is_right_of_its_ap(configured: Page) -> None:
    images = (image("a", "shoulder_axillary"), image("b", "shoulder_ap"))
    assert hung(configured, *images) == ("1x2", {"b": "current 0 0", "a": "current 0 1"})


def test_a_picture_that_does_not_say_its_side_is_of_the_only_side_that_others_say(configured: Page) -> None:
    one = (image("a", "knee_ap", "R"), image("b", "knee_lateral"))
    assert hung(configured, *one)[0] == "1x2"
    both = (*one, image("c", "knee_ap", "L"))
    assert hung(configured, *both)[0] == "3x2"


def test_without_a_label_the_header_counts_and_without_both_a_picture_is_last(configured: Page) -> None:
    images = (
        image("nothing"),
        image("by header", BodyPartExamined="KNEE", ViewPosition="LL"),
        image("by label", "knee_ap"),
        image("wrist", "wrist", ViewPosition="LL"),
    )
    expected = {
        "by label": "current 0 0",
        "by header": "current 0 1",
        "wrist": "current 1 1",
        "nothing": "current 2 0",
    }
    assert hung(configured, *images) == ("3x2", expected)


def test_studies_that_are_not_ours_are_left_to_ohif(configured: Page) -> None:
    assert hung(configured, image("a"), image("b")) == ("", {})
    assert hung(configured, image("a", "knee_ap") | {"Modality": "MR"}) == ("", {})
    assert hung(configured, studies=()) == ("", {})


def test_the_priors_picture_of_the_same_joint_view_and_side_takes_the_same_place(configured: Page) -> None:
    images = (
        image("ap", "knee_ap", "R"),
        image("lateral", "knee_lateral", "R"),
        image("other side", "knee_ap", "L", PRIOR),
        image("old lateral", "knee_lateral", "R", PRIOR),
        image("old ap", "knee_ap", "R", PRIOR),
        image("old ankle", "ankle_ap", "R", PRIOR),
    )
    expected = {
        "ap": "current 0 0",
        "lateral": "current 0 1",
        "old ap": "prior 0 0",
        "old lateral": "prior 0 1",
    }
    assert hung(configured, *images, studies=(CURRENT, PRIOR)) == ("prior 1x2", expected)


def test_a_side_that_is_not_said_is_no_hindrance_but_the_same_one_is_preferred(configured: Page) -> None:
    current, unknown = image("ap", "knee_ap", "R"), image("a old", "knee_ap", "", PRIOR)
    expected = {"ap": "current 0 0", "a old": "prior 0 0"}
    assert hung(configured, current, unknown, studies=(CURRENT, PRIOR)) == ("prior 1x1", expected)
    same = image("z old", "knee_ap", "R", "older")
    images = (current, image("old", "hand_ap", "R", PRIOR), same)
    expected = {"ap": "current 0 0", "z old": "prior 0 0"}
    assert hung(configured, *images, studies=(CURRENT, PRIOR, "older")) == ("prior 1x1", expected)


def test_a_prior_without_a_picture_to_compare_leaves_the_study_alone(configured: Page) -> None:
    images = (image("ap", "knee_ap", "R"), image("old", "knee_ap", "L", PRIOR))
    assert hung(configured, *images, studies=(CURRENT, PRIOR)) == ("1x1", {"ap": "current 0 0"})


def test_what_is_more_than_a_screen_holds_gets_the_largest_grid(configured: Page) -> None:
    joints = ("ankle_ap", "elbow_ap", "foot_ap", "hand_ap", "knee_ap", "knee_lateral")
    images = [image(label, label) for label in joints]
    assert hung(configured, *images)[0] == "4x2"
