"""`msk train`: from folders to a version."""

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.registry import Registry, read_manifest
from tests.unit.commands.typed import msk


def held_out(pictures: Path) -> list[str]:
    """Options of a hold-out: the pictures, turned round, under the same names in a folder of their own."""
    folder = pictures / "others"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.fromarray(np.asarray(Image.open(pictures / name))[::-1, ::-1]).save(folder / name)
    (folder / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\n")
    return [str(folder), str(folder / "labels.csv")]


def weights(folder: Path) -> Path:
    """A file that stands in for ImageNet's weights."""
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    path = folder / "conv.safetensors"
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, path)
    return path


def test_train_makes_a_version_that_evaluate_takes(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\nc.png,none\n")
    data, others = [str(pictures), str(pictures / "labels.csv")], held_out(pictures)
    registry = pictures / "models"

    result = msk(
        "train", "--source", *data, "1", "--holdout", *others, "--classes", "across,down", "--epochs", "1",
        "--views", "50", "--device", "cpu", "--weights", str(weights(pictures)),
        "--registry", str(registry), "--promote",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    version = result.stdout.strip().splitlines()[-1]
    assert Registry(registry).promoted() == registry / version
    assert read_manifest(registry / version)["data"][0]["count"] == 2
    assert (
        msk("evaluate", "--images", *data[:1], "--labels", data[1], "--model", str(registry / version)).exit_code == 0
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--skip", "license=BY-SA"), "no labels file has a column license"),
        (("--skip", "licence"), "give COLUMN=TEXT"),
        (("--skip", "licence=CC"), "no usable files"),
        (("--device", "cuda:99"), "no such GPU here"),
        (("--views", "0"), "0 is not in the range"),
        (("--classes", "across,none"), "none stands for none of the classes"),
        (("--others", "round,across"), "named twice: across"),
    ],
)
def test_train_refuses_invalid_options_before_it_trains(pictures: Path, more: tuple[str, str], reason: str) -> None:
    (pictures / "labels.csv").write_text("file,label,licence\na.png,across,CC0\nb.jpg,down,CC BY-SA\n")
    data, others = [str(pictures), str(pictures / "labels.csv")], held_out(pictures)
    registry = pictures / "models"

    result = msk(
        "train", "--source", *data, "1", "--holdout", *others, "--classes", "across,down", "--registry", str(registry),
        *more,
    )  # fmt: skip

    assert result.exit_code in (1, 2)
    assert reason in result.output
    assert not registry.exists()


@pytest.mark.parametrize("hidden", ["not at all", "by a link", "by another name", "by another format"])
def test_train_refuses_a_hold_out_that_is_trained_on(pictures: Path, hidden: str) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\n")
    data, others = [str(pictures), str(pictures / "labels.csv")], held_out(pictures)
    copy = pictures / "others" / "b.jpg"
    if hidden == "not at all":
        others = data
    elif hidden == "by a link":
        copy.unlink()
        copy.symlink_to(pictures / "b.jpg")
    elif hidden == "by another name":
        copy.write_bytes((pictures / "b.jpg").read_bytes())
    else:
        pixels = np.asarray(Image.open(pictures / "b.jpg"))
        copy.write_bytes(write_dx(pixels, header=Header(identity="again"), bits=8))

    result = msk(
        "train", "--source", *data, "1", "--holdout", *others, "--classes", "across,down",
        "--weights", str(weights(pictures)), "--registry", str(pictures / "models"),
    )  # fmt: skip

    assert result.exit_code == 1
    assert f"{others[1]} is held out, and some of it is trained on: line " in result.output
    assert f"line 3: is line 3 of {data[1]} too" in result.output
    assert not (pictures / "models").exists()


def test_train_refuses_a_picture_that_two_sources_label_differently(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,across\n")
    (pictures / "copy.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "second.csv").write_text("file,label\nb.jpg,down\ncopy.png,none\n")

    result = msk(
        "train", "--source", str(pictures), str(pictures / "labels.csv"), "1",
        "--source", str(pictures), str(pictures / "second.csv"), "1", "--holdout", *held_out(pictures),
        "--classes", "across,down", "--weights", str(weights(pictures)), "--registry", str(pictures / "models"),
    )  # fmt: skip

    assert result.exit_code == 1
    assert f"line 3: contradicts line 2 of {pictures / 'labels.csv'}, which shows the same picture" in result.output


def test_train_tells_of_patients_who_are_trained_on_and_held_out(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label,patient\na.png,across,Quincy\nb.jpg,down,Roe\n")
    others = held_out(pictures)
    Path(others[1]).write_text("File;Label;Patient\na.png;across;Roe\nb.jpg;down;\n")

    result = msk(
        "train", "--source", str(pictures), str(pictures / "labels.csv"), "1", "--holdout", *others,
        "--classes", "across,down", "--weights", others[1], "--registry", str(pictures / "models"),
    )  # fmt: skip

    assert result.exit_code == 1, "the labels are no weights: nothing is trained"
    warned = f"warning: {others[1]} holds out images of patients who are trained on\nline 2: is line 3 of "
    assert warned in result.stderr
    assert "Roe" not in result.output


def small(pictures: Path, registry: Path, *more: str) -> tuple[str, ...]:
    """A command that trains for a second."""
    (pictures / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\nc.png,none\n")
    data = [str(pictures), str(pictures / "labels.csv")]
    return (
        "train", "--source", *data, "1", "--holdout", *held_out(pictures), "--classes", "across,down", "--epochs", "1",
        "--views", "50", "--device", "cpu", "--weights", str(weights(pictures)), "--registry", str(registry), *more,
    )  # fmt: skip


def test_a_version_looks_as_often_as_it_was_told_to_or_as_the_version_that_it_continues(pictures: Path) -> None:
    registry = pictures / "models"
    command = small(pictures, registry)

    def made(*more: str) -> Path:
        result = msk(*command, *more)
        assert result.exit_code == 0, result.output
        return registry / result.stdout.strip().splitlines()[-1]

    def looks(version: Path) -> set[int]:
        manifest = read_manifest(version)
        return {manifest["architecture"]["looks"], manifest["training"]["looks"]}

    once = made("--looks", "1")

    assert looks(once) == {1}
    assert looks(made("--start", str(once))) == {1}
    assert looks(made("--start", str(once), "--looks", "2")) == {2}
    assert looks(made()) == {2}


def test_a_registry_that_cannot_be_written_is_found_out_before_the_training(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mskmodel.training.loop.train", pytest.fail)

    result = msk(*small(pictures, pictures / "a.png" / "models"))

    assert result.exit_code == 1
    assert f"no version can be added to {pictures / 'a.png' / 'models'}: Not a directory" in result.output


def test_what_was_trained_is_kept_and_named_if_the_registry_is_gone_at_the_end(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = pictures / "models"
    register = Registry.register

    def read_only(self: Registry, *arguments: Any, **more: Any) -> str:
        if self.root == registry:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return register(self, *arguments, **more)

    monkeypatch.setattr(Registry, "register", read_only)
    result = msk(*small(pictures, registry))

    assert result.exit_code == 1
    assert "Read-only file system. It is kept in " in result.output
    subprocess.run(result.output.split("register it with: ")[1], shell=True, check=True)
    (version,) = Registry(registry).versions()
    Registry(registry).promote(version)


def test_a_rate_that_is_too_high_ends_the_training_with_a_sentence(pictures: Path) -> None:
    result = msk(*small(pictures, pictures / "models", "--rate", "1e30"))

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: the training diverged in epoch 1")
    assert not Registry(pictures / "models").versions()


def test_a_version_tells_kinds_of_none_apart_and_one_that_continues_it_does_too(pictures: Path) -> None:
    registry = pictures / "models"
    command = small(pictures, registry, "--others", "round")
    (pictures / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\nc.png,round\n")

    result = msk(*command)

    assert result.exit_code == 0, result.output
    first = registry / result.stdout.strip().splitlines()[-1]
    again = msk(*command[:-2], "--start", str(first))
    assert again.exit_code == 0, again.output
    second = registry / again.stdout.strip().splitlines()[-1]
    for version in (first, second):
        manifest = read_manifest(version)
        assert (manifest["classes"], manifest["others"]) == (["across", "down"], ["round"])
        assert manifest["architecture"]["outputs"] == 4
