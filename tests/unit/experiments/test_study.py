"""The study's recipe, from folder to report, on small drawn pictures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file

from mskmodel.data.cases import read_cases, split
from mskmodel.dicom.writing import Header, write_dx
from mskmodel.experiments.study import Recipe
from mskmodel.network.alexnet import AlexNet, Architecture
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.tables.problems import TableError
from workers.cli import main

SMALL = ("--training", "16", "--validation", "8", "--epochs", "2", "--hidden", "8", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes and discs, two of each patient, one file broken, one of none of the classes; starting weights beside."""
    directory = tmp_path_factory.mktemp("drawn")
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:90, 0:70] / 80
    rows = []
    for number in range(26):
        shapes = (
            np.sin(40 * x + random.uniform(0, 6)) > 0,
            np.hypot(x - 0.5, random.uniform(0.5, 1.5) * (y - 0.5)) < 0.4,
        )
        label = ("knee_ap", "foot_lateral")[number // 2 % 2]
        shape = shapes[number // 2 % 2]
        shape[45, 10 + number] ^= True  # no two are the same
        Image.fromarray((shape * 200).astype(np.uint8)).save(directory / f"{number}.png")
        rows.append((f"{number}.png", label, f"Quincy^{number // 2}"))
    (directory / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    Image.new("L", (70, 90)).save(directory / "blank.png")
    _write(directory / "labels.csv", [*rows, ("broken.png", "knee_ap", "Roe"), ("blank.png", "none", "Roe")])
    torch.manual_seed(0)
    state = AlexNet(Architecture(2, hidden=(8,))).features.state_dict()
    save_file({f"features.{name}": tensor for name, tensor in state.items()}, directory / "conv.safetensors")
    return directory


def _write(path: Path, rows: list[tuple[str, str, str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label", "patient"), *rows])


def study(folder: Path, work: Path, *options: str) -> Result:
    data = ("--images", str(folder), "--labels", str(folder / "labels.csv"))
    weights = ("--weights", str(folder / "conv.safetensors"))
    return CliRunner().invoke(main, ["experiment", "study", str(work), *data, *weights, *SMALL, *options])


def test_the_study_trains_judges_and_reports_and_a_second_call_uses_the_kept_runs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"

    result = study(folder, tmp_path / "study", "--seeds", "2", "--json", str(out))

    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert (figures["radiographs"], figures["patients"]) == (26, 13)
    assert [(one["training"], one["validation"], len(one["losses"])) for one in figures["seeds"]] == [(16, 8, 2)] * 2
    assert all(np.isfinite(one["losses"]).all() for one in figures["seeds"])
    top1 = figures["all"]["top1"]
    assert top1 == pytest.approx(np.mean([one["top1"] for one in figures["seeds"]]))
    assert figures["all"]["intervals"]["top1"]["low"] <= top1 <= figures["all"]["intervals"]["top1"]["high"]
    assert [Path(one["file"]).name for one in figures["unreadable"]] == ["broken.png"]
    page = (tmp_path / "study" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == round(16 * (1 - top1))
    assert {"Curves", "Confusion", "Mistakes"} <= set(page.replace(">", "<").split("<"))
    assert "Quincy" not in page + out.read_text()

    assert study(folder, tmp_path / "study", "--seeds", "2", "--json", str(out)).exit_code == 0

    assert json.loads(out.read_text()) == figures  # including the minutes that each run took


def test_augmented_is_a_run_of_its_own(folder: Path, tmp_path: Path) -> None:
    result = study(folder, tmp_path, "--seeds", "1", "--augmented", "--epochs", "1", "--json", "-")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["recipe"]["augmented"] is True


def test_a_kept_run_is_not_used_for_another_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses() -> list[float]:
        result = study(folder, tmp_path, "--seeds", "1", "--augmented", "--json", "-")
        assert result.exit_code == 0, result.output
        found: list[float] = json.loads(result.stdout)["seeds"][0]["losses"]
        return found

    before, settings = losses(), vars(Recipe)["settings"].fget
    monkeypatch.setattr(Recipe, "settings", property(lambda recipe: replace(settings(recipe), label_smoothing=0.4)))

    assert losses() != before


def test_augmented_answers_with_the_mean_over_its_looks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures(*looks: tuple[float, float]) -> tuple[float, list[float]]:
        if looks:
            monkeypatch.setattr(Recipe, "looks", looks)
        result = study(folder, tmp_path, "--seeds", "1", "--augmented", "--json", "-")
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        return told["all"]["calibration_error"], told["seeds"][0]["losses"]

    five, one, thrice = figures(), figures((1.0, 0.0)), figures((1.0, 0.0), (1.0, 0.0), (1.0, 0.0))

    assert five[1] == one[1] == thrice[1]  # losses of training, which looks do not change
    assert thrice[0] == pytest.approx(one[0], rel=1e-6)
    assert five[0] != pytest.approx(one[0], rel=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--training", "500"), "26 radiographs of 13 patients are too few for 500 to train on"),
        (("--validation", "1"), "of other patients to validate on"),
        (("--hidden", "many"), "whole numbers"),
        (("--device", "cuda:99"), "cuda:99"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    folder: Path, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    result = study(folder, tmp_path, *options)

    assert result.exit_code in (1, 2)
    assert reason in result.output
    assert not isinstance(result.exception, StopIteration)


def test_no_patient_is_on_both_sides_whatever_the_seed() -> None:
    patients = np.random.default_rng(0).integers(0, 300, 947)

    splits = [split(patients, 793, 154, np.random.default_rng(seed)) for seed in range(5)]

    for training, validation in splits:
        assert (len(training), len(validation)) == (793, 154)
        assert not set(patients[training]) & set(patients[validation])
    assert len({tuple(validation) for _, validation in splits}) == 5


def test_the_patient_is_the_one_of_the_header_where_the_labels_name_none(tmp_path: Path) -> None:
    pixels = np.arange(40_000, dtype=np.uint16).reshape(200, 200) % 4096
    for number, patient in enumerate(("A", "B", "A")):
        header = Header(identity=str(number), patient_id=patient)
        (tmp_path / f"{number}.dcm").write_bytes(write_dx(np.roll(pixels, 9 * number, 1), header=header, bits=12))
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "3.png")
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label\n0.dcm,knee_ap\n1.dcm,knee_ap\n2.dcm,knee_ap\n")

    cases = read_cases(tmp_path, labels, ["knee_ap"], Preprocessing(), tmp_path / "kept")

    assert cases.patients[0] == cases.patients[2] != cases.patients[1]
    labels.write_text("file,label\n0.dcm,knee_ap\n3.png,knee_ap\n")
    with pytest.raises(TableError, match="line 3: neither the line nor the file names a patient"):
        read_cases(tmp_path, labels, ["knee_ap"], Preprocessing(), tmp_path / "kept")


def test_prepared_pixels_are_kept_until_a_file_changes(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label,patient\na.png,knee_ap,1\n")
    y, x = np.mgrid[0:90, 0:90]
    read: list[int] = []

    def cases(values: np.ndarray) -> np.ndarray:
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / "a.png")

        def told(rows):  # type: ignore[no-untyped-def]
            read.append(len(rows))
            return iter(rows)

        for _ in range(2):
            found = read_cases(tmp_path, labels, ["knee_ap"], Preprocessing(), tmp_path / "kept", told)
        return found.pictures.values

    assert not np.array_equal(cases(x), cases(y % 7))
    assert read == [1, 1]


def test_without_percentiles_the_window_is_the_whole_bit_depth(tmp_path: Path) -> None:
    pixels = np.tile(np.linspace(0, 2047, 300), (300, 1)).astype(np.uint16)
    (tmp_path / "a.dcm").write_bytes(write_dx(pixels, header=Header(identity="a"), bits=12))
    (tmp_path / "labels.csv").write_text("file,label,patient\na.dcm,knee_ap,1\n")

    half, whole = (
        read_cases(tmp_path, tmp_path / "labels.csv", ["knee_ap"], one, tmp_path / "kept").pictures.values.max()
        for one in (Preprocessing(window=None, field=False), Preprocessing(field=False))
    )

    assert half == pytest.approx(127, abs=1)
    assert whole == 255
