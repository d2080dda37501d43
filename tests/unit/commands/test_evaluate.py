"""`msk evaluate`: figures, and the report page."""

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from mskmodel.dicom.writing import Header, write_dx
from mskmodel.registry import SHIPPED, read_manifest
from tests.dicom_files import gradient
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


def test_pixels_alone_and_with_what_a_column_says_are_both_told(pictures: Path) -> None:
    (pictures / "labels.csv").write_text(
        "file,label,said\na.png,pelvis_ap,Becken a.p. Quincy\nb.jpg,shoulder_axillary,Schulter axial\nc.png,none,\n"
    )
    out, page = pictures / "figures.json", pictures / "report.html"

    alone = evaluate(pictures, "--json", str(out))
    before = json.loads(out.read_text())
    both = evaluate(pictures, "--headers", "SAID", "--json", str(out), "--report", str(page))

    assert (alone.exit_code, both.exit_code) == (0, 0), both.output
    figures = json.loads(out.read_text())
    together = figures.pop("with_headers")
    assert figures == before
    # Neither picture looks like anything, so their headers decide for one of them at least.
    assert together["top1"] > figures["top1"]
    assert "Pixels and headers together" in both.stdout and "together" not in alone.stdout
    assert "With headers" in page.read_text()
    assert "Quincy" not in both.output + page.read_text() + out.read_text()


def test_headers_of_the_files_themselves_are_read(tmp_path: Path) -> None:
    for name, part, view in (("silent", "", ""), ("told", "PELVIS", "AP")):
        header = Header(identity=name, body_part=part, view_position=view)
        (tmp_path / f"{name}.dcm").write_bytes(write_dx(gradient(12), bits=12, header=header))
        (tmp_path / "labels.csv").write_text(f"file,label\n{name}.dcm,pelvis_ap\n")

        result = evaluate(tmp_path, "--headers", "dicom", "--json", str(tmp_path / "figures.json"))

        assert result.exit_code == 0, result.output
        figures = json.loads((tmp_path / "figures.json").read_text())
        together = figures.pop("with_headers")
        changed = together["calibration_error"] != pytest.approx(figures["calibration_error"], abs=1e-6)
        assert changed == bool(part)


def test_a_column_that_is_not_there_is_refused(pictures: Path) -> None:
    result = evaluate(pictures, "--headers", "said")

    assert result.exit_code == 2
    assert "has no column said" in result.output


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


def test_a_version_is_judged_by_some_of_its_classes_and_the_others_count_as_none(pictures: Path) -> None:
    (pictures / "labels.csv").write_text("file,label\na.png,knee_ap\nb.jpg,pelvis_ap\n")
    whole, some = (
        json.loads(evaluate(pictures, "--json", "-", *more).stdout) for more in ((), ("--classes", "knee_ap,foot_ap"))
    )

    assert (whole["count"], whole["none_count"]) == (2, 0)
    assert (some["count"], some["none_count"]) == (1, 1)
    assert [one["label"] for one in some["classes"]] == ["knee_ap", "foot_ap"]
    served = read_manifest(SHIPPED)["classes"]
    everything = json.loads(evaluate(pictures, "--json", "-", "--classes", ",".join(served)).stdout)
    assert everything == whole


def test_a_class_that_the_version_lacks_cannot_be_judged(pictures: Path) -> None:
    result = evaluate(pictures, "--classes", "knee_ap,wrist_ap")

    assert result.exit_code == 2
    assert "not among the version's classes: wrist_ap" in " ".join(result.output.split())
