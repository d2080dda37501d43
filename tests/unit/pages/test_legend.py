"""Keys of review: one way to say each class, and always the same."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mskmodel.labels import KEYS, OWN_TABLE
from workers.pages.legend import NONE_KEY, legend


def keys_of(classes: Sequence[str]) -> dict[str, str]:
    return {entry.key: joint.letter + entry.letter for joint in legend(classes) for entry in joint.entries}


def test_the_studys_classes_have_the_first_letters_of_joint_and_view() -> None:
    found = keys_of(KEYS)
    assert (found["knee_lateral"], found["shoulder_axillary"], found["pelvis_ap"]) == ("kl", "sx", "pa")


def test_no_two_classes_share_keys_and_none_is_begun_by_anothers() -> None:
    found = keys_of([*KEYS, "wrist_ap", "femur_ap", "forearm", "wrist", "kneecap_skyline", "hip", "humerus", "heel"])
    keys = list(found.values())
    assert all(keys)
    assert not any(one != other and other.startswith(one) for one in keys for other in keys)
    assert len(set(keys)) == len(keys)
    assert not any(each.startswith(NONE_KEY) for each in keys)


def test_a_class_of_the_site_behind_the_others_moves_none_of_their_keys() -> None:
    before = keys_of(KEYS)
    assert keys_of([*KEYS, "ankle_oblique", "femur_ap"]).items() >= before.items()


def test_classes_that_share_joint_and_view_have_keys_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labels.csv").write_text("key,region,view\nknee_standing,knee,ap\ngonio,,\n")
    monkeypatch.setenv(OWN_TABLE, str(tmp_path / "labels.csv"))
    classes = ["knee_ap", "knee_standing", "ankle_foot", "ankle", "several_views", "gonio"]
    found = keys_of(classes)
    assert list(found) == classes
    assert len(set(found.values())) == len(classes) and all(found.values())
    assert [joint.name for joint in legend(classes)][2:] == ["Several views on one film", "Gonio"]


def test_where_letters_are_used_up_a_joint_has_none() -> None:
    found = legend([f"{letter}{number}_ap" for letter in "abcdefghijklmnopqrstuvwxyz" for number in range(2)])
    assert [joint.letter for joint in found].count("") == 52 - 25
