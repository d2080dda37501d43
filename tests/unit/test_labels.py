"""The list of classes."""

from __future__ import annotations

import re

import pytest

from mskmodel.labels import BY_KEY, KEYS, LABELS, Label


def test_there_are_thirteen_classes_in_a_fixed_order() -> None:
    assert (
        " ".join(KEYS) == "ankle_ap ankle_lateral elbow_ap elbow_lateral foot_ap foot_lateral hand_ap "
        "hand_lateral knee_ap knee_lateral pelvis_ap shoulder_ap shoulder_axillary"
    )


def test_a_label_is_found_by_its_key() -> None:
    assert BY_KEY["knee_lateral"].display == "Knee lateral"
    assert set(BY_KEY) == set(KEYS)


@pytest.mark.parametrize(
    ("key", "anatomy", "view"),
    [
        ("ankle_ap", "70258002", "399348003"),
        ("elbow_lateral", "16953009", "399067008"),
        ("foot_ap", "56459004", "399348003"),
        ("hand_lateral", "85562004", "399067008"),
        ("knee_ap", "72696002", "399348003"),
        ("pelvis_ap", "816092008", "399348003"),
        ("shoulder_ap", "16982005", "399348003"),
    ],
)
def test_codes_are_the_snomed_ct_ones_of_the_standard(key: str, anatomy: str, view: str) -> None:
    label = BY_KEY[key]

    assert (label.anatomy.value, label.anatomy.scheme_designator) == (anatomy, "SCT")
    assert (label.view.value, label.view.scheme_designator) == (view, "SCT")


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.key)
def test_header_terms_are_legal_code_strings(label: Label) -> None:
    for term in (label.body_part, label.view_position):
        assert re.fullmatch(r"[A-Z0-9 _]{1,16}", term)


def test_region_and_view_together_tell_every_class_apart() -> None:
    assert len({(label.anatomy, label.view) for label in LABELS}) == len(LABELS)
    assert len({(label.body_part, label.view_position) for label in LABELS}) == len(LABELS)
