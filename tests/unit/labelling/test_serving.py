"""The model of a label worker follows promotions, but never to a broken version."""

import shutil
from pathlib import Path

import pytest

from mskmodel.registry import MANIFEST, SHIPPED, WEIGHTS, Registry, RegistryError, read_manifest
from tests.model_versions import harm_weights, register_saying
from workers.labelling import serving
from workers.labelling.serving import Serving

SHIPPED_VERSION = read_manifest(SHIPPED)["version"]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(serving, "RETRY_SECONDS", 0)
    return Registry(tmp_path / "models")


def damage(registry: Registry, name: str) -> None:
    weights = registry.find(name) / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-100] ^= 0xFF  # the file still loads with these flipped bits
    weights.write_bytes(data)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith("model-not-loaded")]


def test_it_holds_the_same_classifier_until_another_version_is_promoted(registry: Registry) -> None:
    served = Serving(registry, "cpu")
    first = served.classifier()
    assert first.version == SHIPPED_VERSION
    assert served.classifier() is first

    name = register_saying(registry, "knee_ap")
    assert served.classifier() is first
    registry.promote(name)
    assert served.classifier().version == name
    registry.rollback()
    assert served.classifier().version == SHIPPED_VERSION


@pytest.mark.parametrize("harm", ["damaged", "missing", "half there", "no such name", "NaN", "too large"])
def test_a_promoted_version_that_is_broken_changes_nothing_and_is_logged_once(
    registry: Registry, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    good, bad, later = (register_saying(registry, label) for label in ("knee_ap", "foot_ap", "hand_ap"))
    registry.promote(good)
    served = Serving(registry, "cpu")
    registry.promote(bad)
    assert registry.root
    match harm:
        case "damaged":
            damage(registry, bad)
        case "missing":
            shutil.rmtree(registry.root / bad)
        case "half there":
            (registry.root / bad / MANIFEST).unlink()
        case "no such name":
            (registry.root / "promoted").write_text("../../etc\n")
        case _:
            harm_weights(registry.root / bad, harm)

    assert {served.classifier().version for _ in range(5)} == {good}
    assert len(complaints(caplog)) == 1
    registry.promote(later)
    assert served.classifier().version == later


def test_a_version_that_arrives_late_is_loaded_once_it_is_complete(registry: Registry, tmp_path: Path) -> None:
    name = register_saying(registry, "knee_ap")
    registry.promote(name)
    directory = registry.find(name)
    served = Serving(registry, "cpu")
    registry.rollback()
    served.classifier()
    registry.promote(name)
    directory.rename(tmp_path / "on its way")
    assert served.classifier().version == SHIPPED_VERSION

    (tmp_path / "on its way").rename(directory)

    assert served.classifier().version == name


def test_a_broken_version_is_not_read_again_for_each_chunk_but_another_one_is_loaded_at_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "RETRY_SECONDS", 3600)
    served = Serving(registry, "cpu")
    name, later = (register_saying(registry, label) for label in ("knee_ap", "foot_ap"))
    registry.promote(name)
    whole = (registry.find(name) / WEIGHTS).read_bytes()
    damage(registry, name)
    assert served.classifier().version == SHIPPED_VERSION

    (registry.find(name) / WEIGHTS).write_bytes(whole)

    assert served.classifier().version == SHIPPED_VERSION
    assert len(complaints(caplog)) == 1
    registry.promote(later)
    assert served.classifier().version == later


def test_a_registry_that_is_gone_does_not_bring_the_shipped_version_back(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    name = register_saying(registry, "knee_ap")
    registry.promote(name)
    served = Serving(registry, "cpu")
    assert registry.root
    registry.root.rename(registry.root.with_name("unmounted"))

    assert {served.classifier().version for _ in range(3)} == {name}
    assert len(complaints(caplog)) == 1


def test_a_process_that_starts_on_a_broken_version_loads_the_one_before(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    before, name, later = (register_saying(registry, label) for label in ("knee_ap", "foot_ap", "hand_ap"))
    registry.promote(before)
    registry.promote(name)
    damage(registry, name)

    served = Serving(registry, "cpu")

    assert served.classifier().version == before
    assert len(complaints(caplog)) == 1
    registry.promote(later)
    assert served.classifier().version == later


def test_a_registry_of_nothing_but_garbage_is_an_error(registry: Registry) -> None:
    assert registry.root
    registry.root.mkdir()
    (registry.root / "promoted").write_bytes(b"\xff")

    with pytest.raises(RegistryError, match="promoted cannot be read"):
        Serving(registry, "cpu")


def test_a_device_that_is_not_here_is_an_error(registry: Registry) -> None:
    with pytest.raises(ValueError, match="cuda:7"):
        Serving(registry, "cuda:7")
