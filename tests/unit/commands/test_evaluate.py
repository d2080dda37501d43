"""`msk evaluate`: figures, and the report page."""

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from tests.unit.commands.typed import msk


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


def test_a_report_is_one_file_and_shows_every_mistake_without_its_header(pictures: Path) -> None:
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


def test_a_mistake_is_shown_as_bright_and_dark_as_it_is(pictures: Path) -> None:
    for name in ("a.png", "b.jpg"):
        Image.fromarray(np.tile(np.arange(240, dtype=np.uint8), (300, 1))).save(pictures / name)
    (pictures / "labels.csv").write_text("file,label\na.png,pelvis_ap\nb.jpg,shoulder_axillary\n")

    evaluate(pictures, "--report", str(pictures / "report.html"))

    encoded = (pictures / "report.html").read_text().partition("data:image/png;base64,")[2].partition('"')[0]
    columns = np.asarray(Image.open(BytesIO(base64.b64decode(encoded)))).mean(axis=0)
    edge = len(columns) // 20  # at the very edge, a slope is as flat as a border
    assert columns[edge] < 30 < 115 < columns[len(columns) // 2] < 141 < 225 < columns[-edge]


@pytest.mark.parametrize(
    "labels", ["a.png,none", "a.png,knee_ap", "c.png,none"], ids=["none", "one class", "nothing readable"]
)
def test_evaluate_lists_missing_files_and_reports_on_the_others(pictures: Path, labels: str) -> None:
    (pictures / "labels.csv").write_text(f"\ufefffile,label\n{labels}\ngone.png,none\n", encoding="utf-8")

    result = evaluate(pictures, "--report", str(pictures / "report.html"))

    assert result.exit_code == (1 if labels.startswith("c") else 0), result.output
    assert "gone.png" in (pictures / "report.html").read_text()


def test_a_file_that_cannot_be_written_is_reported_before_the_work(pictures: Path) -> None:
    result = evaluate(pictures, "--report", str(pictures / "nowhere" / "report.html"))

    assert result.exit_code == 2
    assert "nowhere is not a writable folder" in result.output


def test_a_picture_under_two_names_counts_once(pictures: Path) -> None:
    (pictures / "again.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "labels.csv").write_text("file;label\na.png;knee_ap\n.\\again.png;knee_ap\na.png;knee_ap\n")

    figures = json.loads(evaluate(pictures, "--json", "-").stdout)

    assert (figures["count"], figures["none_count"]) == (1, 0)
    assert [(one["line"], one["reason"]) for one in figures["unreadable"]] == [
        (3, "the same picture as line 2; it counts once"),
        (4, "the same picture as line 2; it counts once"),
    ]


def test_a_picture_with_two_labels_is_refused(pictures: Path) -> None:
    (pictures / "again.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "labels.csv").write_text("file,label\na.png,knee_ap\nagain.png,none\n")

    result = evaluate(pictures)

    assert result.exit_code == 1
    assert "labels.csv cannot be used: line 3: contradicts line 2, which shows the same picture" in result.output


def test_a_labels_file_with_an_unknown_class_ends_with_its_name(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,knee_app\n")

    result = msk("evaluate", "--images", str(pictures), "--labels", str(pictures / "labels.csv"))

    assert result.exit_code == 1
    assert "line 2: knee_app is not among the classes" in result.output
