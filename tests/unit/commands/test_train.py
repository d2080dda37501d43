"""`msk train`: from folders to a version."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.registry import Registry, read_manifest
from tests.unit.commands.typed import msk


def test_train_makes_a_version_that_evaluate_takes(pictures: Path) -> None:
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, pictures / "conv.safetensors")
    (pictures / "labels.csv").write_text("file,label\na.png,across\nb.jpg,down\nc.png,\n")
    data = [str(pictures), str(pictures / "labels.csv")]
    registry = pictures / "models"

    result = msk(
        "train", "--source", *data, "1", "--holdout", *data, "--classes", "across,down", "--epochs", "1",
        "--views", "50", "--device", "cpu", "--weights", str(pictures / "conv.safetensors"),
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
    ],
)
def test_train_refuses_invalid_options_before_it_trains(pictures: Path, more: tuple[str, str], reason: str) -> None:
    (pictures / "labels.csv").write_text("file,label,licence\na.png,across,CC0\nb.jpg,down,CC BY-SA\n")
    data = [str(pictures), str(pictures / "labels.csv")]
    registry = pictures / "models"

    result = msk(
        "train", "--source", *data, "1", "--holdout", *data, "--classes", "across,down", "--registry", str(registry),
        *more,
    )  # fmt: skip

    assert result.exit_code in (1, 2)
    assert reason in result.output
    assert not registry.exists()
