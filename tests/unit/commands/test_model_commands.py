"""The commands around a model, as they are typed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file

from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.registry import SHIPPED, Registry, read_manifest
from workers.cli import main

TENSORS = {"features.0.weight": torch.zeros(2, dtype=torch.float16)}


def msk(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures with labels, one of them broken."""
    y, x = np.mgrid[0:300, 0:240]
    for name, values in (("a.png", x), ("b.jpg", y)):
        Image.fromarray((values % 200).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "labels.csv").write_text("file,label\na.png,knee_ap\nb.jpg,\nc.png,foot_ap\n")
    return tmp_path


def test_label_answers_for_each_file_and_tells_of_the_one_it_cannot_read(pictures: Path) -> None:
    files = [str(pictures / name) for name in ("a.png", "c.png", "missing.dcm")]

    result = msk("label", *files, "--device", "cpu", "--json")

    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["model"] == read_manifest(SHIPPED)["version"]
    good, broken, missing = answer["files"]
    assert len(good["top5"]) == 5
    assert good["error"] is None
    assert broken["error"]
    assert missing["error"]
    table = msk("label", files[0])
    assert table.exit_code == 0
    assert "a.png" in table.stdout.replace("\n", "").replace("│", "").replace(" ", "")


def evaluate(folder: Path, *options: str) -> Result:
    return msk("evaluate", "--images", str(folder), "--labels", str(folder / "labels.csv"), "--device", "cpu", *options)


def test_evaluate_prints_figures_and_writes_them(pictures: Path) -> None:
    out = pictures / "figures.json"

    result = evaluate(pictures, "--json", str(out))

    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert (figures["count"], figures["none_count"]) == (1, 1)
    assert [one["file"] for one in figures["unreadable"]] == [str(pictures / "c.png")]
    assert {one["label"]: one["count"] for one in figures["classes"]}["knee_ap"] == 1
    top1 = figures["intervals"]["top1"]
    assert (top1["low"] <= figures["top1"] <= top1["high"], top1["method"]) == (True, "Wilson")
    assert "top-1 accuracy" in result.stdout
    assert f"not read: {pictures / 'c.png'}" in result.stdout


def test_evaluate_prints_json_alone_where_a_dash_asks_for_it(pictures: Path) -> None:
    result = evaluate(pictures, "--json", "-")

    assert json.loads(result.stdout)["count"] == 1


def test_a_report_needs_nothing_else_and_shows_every_mistake_without_its_header(pictures: Path) -> None:
    # Neither picture is a foot, nor are they all that the model may call them: both are mistakes, of one kind each.
    (pictures / "labels.csv").write_text("file,label\na.png,pelvis_ap\nb.jpg,shoulder_axillary\nc.png,foot_ap\n")

    result = evaluate(pictures, "--report", str(pictures / "report.html"), "--json", str(pictures / "figures.json"))

    assert result.exit_code == 0, result.output
    page = (pictures / "report.html").read_text()
    wrong = round(2 * (1 - json.loads((pictures / "figures.json").read_text())["top1"]))
    assert page.count("data:image/png;base64,") == wrong > 0
    assert page.count("<svg") == 5
    assert "c.png" in page
    assert "http:" not in page.replace("http://www.w3.org/", "")
    assert "https:" not in page
    assert "<script" not in page


@pytest.mark.parametrize("labels", ["a.png,", "a.png,knee_ap", "c.png,"], ids=["none", "one class", "nothing readable"])
def test_evaluate_takes_what_is_missing_in_its_stride(pictures: Path, labels: str) -> None:
    (pictures / "labels.csv").write_text(f"\ufefffile,label\n{labels}\nshort.png\n", encoding="utf-8")

    result = evaluate(pictures, "--report", str(pictures / "report.html"))

    assert result.exit_code == (1 if labels.startswith("c") else 0), result.output
    assert "short.png" in (pictures / "report.html").read_text()


def test_a_file_that_cannot_be_written_is_found_out_before_the_work(pictures: Path) -> None:
    result = evaluate(pictures, "--report", str(pictures / "nowhere" / "report.html"))

    assert result.exit_code == 2
    assert "nowhere is no folder" in result.output


def test_a_labels_file_with_an_unknown_class_ends_with_its_name(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,nose\n")

    result = msk("evaluate", "--images", str(pictures), "--labels", str(pictures / "labels.csv"))

    assert result.exit_code == 1
    assert "nose" in result.output


def test_models_lists_versions_and_promotes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSK_MODELS", str(tmp_path))
    name = Registry(tmp_path).register(TENSORS, {"classes": ["a"]})

    assert msk("models", "promote", name).exit_code == 0

    listed = json.loads(msk("models", "--json").stdout)
    assert [(row["version"], row["served"]) for row in listed["versions"]] == [
        (read_manifest(SHIPPED)["version"], False),
        (name, True),
    ]
    unknown = msk("models", "promote", "20260101T000000Z-0123456789ab")
    assert unknown.exit_code == 1
    assert "no whole model version" in unknown.output


def test_weights_says_where_they_are_from_or_why_there_are_none(tmp_path: Path) -> None:
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, tmp_path / "conv.safetensors")
    (tmp_path / "broken.pth").write_bytes(b"nothing")

    found = json.loads(msk("weights", "--path", str(tmp_path / "conv.safetensors"), "--json").stdout)

    assert found["source"] == "file conv.safetensors"
    assert found["numbers"] == 2_469_696
    assert msk("weights", "--path", str(tmp_path / "broken.pth")).exit_code == 1


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
        (("--skip", "licence"), "it is COLUMN=TEXT"),
        (("--skip", "licence=CC"), "none of the files it lists is left"),
        (("--device", "cuda:99"), "no such GPU here"),
        (("--views", "0"), "0 is not in the range"),
    ],
)
def test_train_refuses_what_cannot_be_meant_before_it_trains(
    pictures: Path, more: tuple[str, str], reason: str
) -> None:
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
