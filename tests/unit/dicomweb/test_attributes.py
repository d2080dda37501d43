"""What is told of a thing whose instances agree, differ, or have no label."""

from typing import Any

import pytest

from workers.dicomweb.attributes import BODY_PART, DESCRIPTION, NAMES, OF_SERIES, attributes_of, told
from workers.records.shown import Shown

KNEE_AP, KNEE_LATERAL, ANKLE = Shown("knee_ap"), Shown("knee_lateral"), Shown("ankle_ap")
NO_LABEL = Shown("")
VIEW_POSITION = "00185101"


def element(vr: str, *values: str) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


HEADER = {BODY_PART: element("CS", "LEG"), DESCRIPTION: element("LO", "Unterschenkel")}


def test_every_attribute_of_the_label_is_told_of_an_instance() -> None:
    found = told(HEADER, [Shown("knee_ap", "R", "DX")], NAMES)
    assert found[BODY_PART] == element("CS", "KNEE")
    assert found[VIEW_POSITION] == element("CS", "AP")
    assert found["00200062"] == element("CS", "R")
    assert found[DESCRIPTION] == element("LO", "Knee AP, right")
    assert "00200060" not in found


def test_a_computed_radiograph_has_its_side_in_the_series() -> None:
    found = told({}, [Shown("knee_ap", "L", "CR")], NAMES)
    assert found["00200060"] == element("CS", "L")
    assert "00200062" not in found


@pytest.mark.parametrize("shown", [NO_LABEL, Shown("none"), Shown("a_key_that_no_table_has"), Shown("", "R", "DX")])
def test_nothing_is_told_where_nothing_is_known(shown: Shown) -> None:
    assert attributes_of(shown) == {}
    assert told(HEADER, [shown], NAMES) == {}
    assert told(HEADER, [], NAMES) == {}


def test_a_series_tells_what_all_its_instances_say() -> None:
    found = told(HEADER, [KNEE_AP, KNEE_LATERAL], OF_SERIES)
    assert found == {BODY_PART: element("CS", "KNEE"), DESCRIPTION: element("LO", "Knee AP; Knee lateral")}


def test_a_series_of_several_regions_names_no_body_part() -> None:
    found = told(HEADER, [KNEE_AP, ANKLE], OF_SERIES)
    assert found == {BODY_PART: {"vr": "CS"}, DESCRIPTION: element("LO", "Knee AP; Ankle AP")}


def test_an_instance_without_a_label_says_what_the_header_says() -> None:
    found = told(HEADER, [KNEE_AP, NO_LABEL], OF_SERIES)
    assert found == {BODY_PART: {"vr": "CS"}, DESCRIPTION: element("LO", "Knee AP; Unterschenkel")}
    agreeing = HEADER | {BODY_PART: element("CS", "KNEE")}
    assert told(agreeing, [KNEE_AP, NO_LABEL], OF_SERIES)[BODY_PART] == element("CS", "KNEE")


def test_an_attribute_that_the_header_lacks_is_told_only_where_it_is_wanted() -> None:
    assert told({}, [KNEE_AP], ()) == {}
    assert told({VIEW_POSITION: {"vr": "CS"}}, [KNEE_AP], ()) == {VIEW_POSITION: element("CS", "AP")}
    assert told({}, [KNEE_AP], [VIEW_POSITION]) == {VIEW_POSITION: element("CS", "AP")}


def test_a_description_of_many_views_fits_into_a_long_string() -> None:
    many = [Shown(f"{joint}_{view}") for joint in ("ankle", "elbow", "foot", "hand") for view in ("ap", "lateral")]
    (text,) = told({}, many, OF_SERIES)[DESCRIPTION]["Value"]
    assert len(text) == 64
    assert text.startswith("Ankle AP; Ankle lateral; ") and text.endswith("...")
