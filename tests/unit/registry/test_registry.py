"""Versions are complete or absent, never change, and one of them is served."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from mskmodel.registry import MANIFEST, SHIPPED, WEIGHTS, AnotherServes, Registry, RegistryError, Version, read_manifest

TENSORS = {"features.0.weight": torch.zeros(2, 2, dtype=torch.float16)}


def test_without_a_registry_the_shipped_version_is_served(tmp_path: Path) -> None:
    assert Registry(None).promoted() == SHIPPED
    assert Registry(tmp_path / "never made").promoted() == SHIPPED
    assert Registry(None).find(read_manifest(SHIPPED)["version"]) == SHIPPED


def test_a_registered_version_is_served_once_it_is_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")

    name = registry.register(TENSORS, {"classes": ["a"]}, {"report.txt": b"good"})

    assert registry.promoted() == SHIPPED
    registry.promote(name)
    assert registry.promoted() == tmp_path / "models" / name
    assert registry.versions() == [name]
    manifest = read_manifest(registry.promoted())
    assert manifest["version"] == name
    assert manifest["classes"] == ["a"]
    assert (registry.promoted() / "report.txt").read_bytes() == b"good"
    assert Version.parse(name).content == name[-12:]


def test_a_version_takes_the_place_of_the_one_that_it_was_compared_with(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second, third = (registry.register(TENSORS, {"classes": [key]}) for key in "abc")
    shipped = str(read_manifest(SHIPPED)["version"])

    registry.promote(first, instead_of=shipped)
    registry.promote(second, instead_of=first)

    with pytest.raises(AnotherServes, match=f"it was compared with {first}, but {second} is served now"):
        registry.promote(third, instead_of=first)
    assert registry.promoted().name == second


def test_jobs_start_from_where_the_first_of_them_started(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    own = registry.register(TENSORS, {"classes": ["a"], "starting_weights": "a file"})
    first = registry.register(TENSORS, {"classes": ["a"], "job": "1", "starting_weights": f"version {own}"})
    second = registry.register(TENSORS, {"classes": ["a"], "job": "2", "starting_weights": f"version {first}"})
    gone = registry.register(
        TENSORS, {"classes": ["a"], "job": "3", "starting_weights": "version 20200101T000000Z-0123456789ab"}
    )

    origins = [registry.origin_of(registry.find(name)) for name in (own, first, second, gone, "shipped")]

    assert origins == [*[registry.find(own)] * 3, SHIPPED, SHIPPED]


def test_a_copy_that_somebody_made_beside_a_version_is_no_version(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.register(TENSORS, {"classes": ["a"]})
    shutil.copytree(tmp_path / name, tmp_path / f"{name}-backup")

    assert registry.versions() == [name]


def test_promotions_are_rolled_back_one_by_one_and_the_history_keeps_all(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second, third = (registry.register(TENSORS, {"classes": [key]}) for key in "abc")
    registry.promote(first)
    registry.promote(second)

    assert registry.rollback() == first
    assert registry.promoted() == tmp_path / first
    registry.promote(third)
    assert registry.served_before() == [first, "shipped"]
    assert [registry.rollback(), registry.rollback()] == [first, "shipped"]
    assert registry.promoted() == SHIPPED
    with pytest.raises(RegistryError, match="nothing was served before"):
        registry.rollback()
    assert [entry["version"] for entry in registry.history()] == [first, second, first, third, first, "shipped"]
    assert [entry.get("rollback", False) for entry in registry.history()] == [False, False, True, False, True, True]


def test_a_version_promoted_twice_is_one_step_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.register(TENSORS, {"classes": [key]}) for key in "ab")
    for name in (first, second, second):
        registry.promote(name)

    assert registry.rollback() == first


def test_a_promotion_cut_short_before_the_pointer_moved_leaves_a_way_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.register(TENSORS, {"classes": [key]}) for key in "ab")
    registry.promote(first)
    registry.promote(second)
    (tmp_path / "promoted").write_text(f"{first}\n")

    assert registry.promoted() == tmp_path / first
    assert registry.rollback() == "shipped"


@pytest.mark.parametrize("damage", [lambda weights: weights.unlink(), lambda weights: weights.write_bytes(b"cut")])
def test_a_version_whose_weights_are_not_its_own_is_neither_promoted_nor_rolled_back_to(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.register(TENSORS, {"classes": [key]}) for key in "ab")
    registry.promote(first)
    registry.promote(second)
    damage(tmp_path / first / WEIGHTS)

    with pytest.raises(RegistryError, match=WEIGHTS):
        registry.promote(first)
    with pytest.raises(RegistryError, match=WEIGHTS):
        registry.rollback()
    assert registry.promoted() == tmp_path / second
    assert len(registry.history()) == 2


def test_concurrent_promotions_are_all_in_the_history(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    names = [registry.register(TENSORS, {"classes": [str(number)]}) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Registry(tmp_path).promote, names))

    history = registry.history()
    assert sorted(entry["version"] for entry in history) == sorted(names)
    assert [entry["before"] for entry in history] == [None, *(entry["version"] for entry in history[:-1])]
    assert registry.promoted().name == history[-1]["version"]


def test_a_damaged_pointer_or_history_is_named(tmp_path: Path) -> None:
    (tmp_path / "promoted").write_bytes(b"\xff\xfe")
    (tmp_path / "promoted.history.jsonl").write_text("{")

    with pytest.raises(RegistryError, match="promoted cannot be read"):
        Registry(tmp_path).promoted()
    with pytest.raises(RegistryError, match=r"promoted\.history\.jsonl cannot be read"):
        Registry(tmp_path).history()


def test_the_same_contents_have_the_same_hash_and_others_another(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    one = registry.register(TENSORS, {"classes": ["a"]})
    other = registry.register({"features.0.weight": torch.ones(2, 2)}, {"classes": ["a"]})

    assert one[-12:] != other[-12:]


def test_the_same_version_may_be_registered_again_within_the_second(tmp_path: Path) -> None:
    registry = Registry(tmp_path)

    names = [registry.register(TENSORS, {"classes": ["a"]}) for _ in range(20)]

    assert len(set(names)) < len(names)
    assert registry.versions() == sorted(set(names))
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_version_without_its_manifest_counts_as_absent(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.register(TENSORS, {"classes": ["a"]})
    (tmp_path / name / MANIFEST).unlink()

    assert registry.versions() == []
    with pytest.raises(RegistryError, match="no complete model version"):
        registry.find(name)


def test_a_registration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    registry = Registry(tmp_path)

    with pytest.raises(TypeError):
        registry.register(TENSORS, {"classes": {1, 2}})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../elsewhere", "", "20260101T000000Z-xyz", "no-version"])
def test_what_is_not_a_version_is_not_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(RegistryError):
        Registry(tmp_path).promote(name)


def test_without_a_folder_nothing_can_be_registered() -> None:
    with pytest.raises(RegistryError, match="MSK_MODELS"):
        Registry(None).register(TENSORS, {})


def test_a_version_holds_no_pickle(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    directory = registry.find(registry.register(TENSORS, {"classes": ["a"]}))

    assert sorted(path.name for path in directory.iterdir()) == [MANIFEST, WEIGHTS]
    header = int.from_bytes((directory / WEIGHTS).read_bytes()[:8], "little")
    assert "features.0.weight" in json.loads((directory / WEIGHTS).read_bytes()[8 : 8 + header])
