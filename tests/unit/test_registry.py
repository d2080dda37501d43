"""Versions are whole or not there, never change, and one of them is served."""

import json
from pathlib import Path

import pytest
import torch

from mskmodel.registry import MANIFEST, SHIPPED, WEIGHTS, Registry, RegistryError, Version, read_manifest

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


def test_a_promotion_can_be_taken_back_and_both_are_remembered(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    first, second = (registry.register(TENSORS, {"classes": [key]}) for key in "ab")
    registry.promote(first)
    registry.promote(second)

    registry.promote(registry.history()[-1]["before"])
    registry.promote("shipped")

    assert registry.promoted() == SHIPPED
    assert [entry["version"] for entry in registry.history()] == [first, second, first, "shipped"]


def test_the_same_contents_have_the_same_hash_and_others_another(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    one = registry.register(TENSORS, {"classes": ["a"]})
    other = registry.register({"features.0.weight": torch.ones(2, 2)}, {"classes": ["a"]})

    assert one[-12:] != other[-12:]


def test_a_version_without_its_manifest_is_not_there(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    name = registry.register(TENSORS, {"classes": ["a"]})
    (tmp_path / name / MANIFEST).unlink()

    assert registry.versions() == []
    with pytest.raises(RegistryError, match="no whole model version"):
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
