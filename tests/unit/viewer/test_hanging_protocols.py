"""Hanging protocols as data: every place has a viewport, and the table of pictures follows the table of labels."""

from pathlib import Path
from typing import Any

import pytest

from mskmodel.labels import OWN_TABLE
from workers.viewer.hanging_protocols import LEFT, MIDDLE, RIGHT, hanging_protocols, picture_table, side_codes


def lines(protocol: dict[str, Any]) -> list[list[str]]:
    """The places of a protocol's viewports, line by line."""
    (stage,) = protocol["stages"]
    shape = stage["viewportStructure"]["properties"]
    places = [viewport["displaySets"][0]["id"] for viewport in stage["viewports"]]
    assert len(places) == shape["rows"] * shape["columns"]
    return [places[start : start + shape["columns"]] for start in range(0, len(places), shape["columns"])]


def test_each_viewport_takes_the_picture_of_its_place_and_no_other() -> None:
    protocols = hanging_protocols()
    assert len({protocol["id"] for protocol in protocols}) == len(protocols) == 24
    for protocol in protocols:
        places = [place for line in lines(protocol) for place in line]
        assert list(protocol["displaySetSelectors"]) == places
        for place, selector in protocol["displaySetSelectors"].items():
            (rule,) = selector["seriesMatchingRules"]
            assert (rule["attribute"], rule["constraint"]["equals"]["value"], rule["required"]) == (
                "mskPlace",
                place,
                True,
            )


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("1x1", [["current 0 0"]]),
        ("1x2", [["current 0 0", "current 0 1"]]),
        ("2x1", [["current 0 0", "current 1 0"]]),
        ("2x2", [["current 0 0", "current 0 1"], ["current 1 0", "current 1 1"]]),
        ("prior 1x1", [["current 0 0", "prior 0 0"]]),
        ("prior 1x2", [["current 0 0", "current 0 1"], ["prior 0 0", "prior 0 1"]]),
        ("prior 2x1", [["current 0 0", "current 1 0"], ["prior 0 0", "prior 1 0"]]),
    ],
)
def test_a_prior_hangs_below_or_beside_the_current_study(grid: str, expected: list[list[str]]) -> None:
    (protocol,) = (each for each in hanging_protocols() if each["id"] == f"msk {grid}")
    assert lines(protocol) == expected
    assert protocol["protocolMatchingRules"][0]["constraint"]["equals"]["value"] == grid


def test_ap_is_left_and_lateral_right_of_each_joint_in_the_table() -> None:
    columns = {(row["region"], row["view"]): row["column"] for row in picture_table()}
    for joint in ("ankle", "elbow", "foot", "hand", "knee"):
        assert (columns[joint, "ap"], columns[joint, "lateral"]) == (LEFT, RIGHT)
        assert columns[joint, "oblique"] == MIDDLE
    assert (columns["shoulder", "ap"], columns["shoulder", "axillary"]) == (LEFT, RIGHT)
    assert columns["wrist", ""] == columns["pelvis", "ap"] == LEFT
    assert side_codes() == {"SCT:24028007": "R", "SCT:7771000": "L", "SCT:51440002": "B"}


def test_a_sites_own_labels_hang_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("key,region,view,body_part\ntail_ap,tail,ap,TAIL\ntail_lateral,tail,lateral,TAIL\n")
    monkeypatch.setenv(OWN_TABLE, str(table))
    found = [row for row in picture_table() if row["bodyPart"] == "TAIL"]
    assert [(row["view"], row["column"]) for row in found] == [("ap", LEFT), ("lateral", RIGHT)]
