"""Exemplars: which pictures may be passed on, and what they stand for in a training."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from mskmodel.data.exemplars import COLUMNS, FOLDER, TABLE, is_free, read_exemplars, select
from mskmodel.labels import BY_KEY, KEYS
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.tables.table import Row
from workers.cli import main


def rows() -> list[dict[str, str]]:
    with (FOLDER / TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_exemplar_that_comes_with_the_program_has_its_picture_licence_author_and_patient() -> None:
    listed = rows()

    assert {row["file"] for row in listed} | {TABLE, "LICENSE"} == {file.name for file in FOLDER.iterdir()}
    assert all(row[column] for row in listed for column in COLUMNS)
    assert all(is_free(row["licence"]) for row in listed)
    assert set(KEYS) <= {row["label"] for row in listed} <= {*BY_KEY, "none"}


def test_only_licences_that_let_anybody_pass_on_a_changed_picture_are_free() -> None:
    assert all(map(is_free, ("CC0 1.0", "CC0", "Public domain", "CC BY 4.0", "CC BY 3.0")))
    assert not any(map(is_free, ("CC BY-SA 4.0", "CC BY-NC 4.0", "CC BY-ND 4.0", "MIT", "", "unknown")))


def test_an_exemplar_is_of_the_class_that_it_shows_or_of_none_of_them() -> None:
    listed, none = rows(), 2
    classes = ("knee_ap", "forearm")

    read = read_exemplars(classes, Preprocessing())

    shown = [row["label"] if row["label"] in classes else row["shows"] for row in listed]
    assert read.labels.tolist() == [classes.index(key) if key in classes else none for key in shown]
    assert {0, 1, none} == set(read.labels.tolist())
    assert (read.extents.max(axis=1) == 288).all()


def test_sources_can_be_left_out_and_another_framing_has_no_exemplars() -> None:
    without = [row for row in rows() if "FracAtlas" not in row["attribution"]]

    assert len(read_exemplars(KEYS, Preprocessing(), [("attribution", "FracAtlas")])) == len(without) > 0
    assert len(read_exemplars(KEYS, replace(Preprocessing(), field=False))) == 0


def test_of_each_label_as_many_sources_and_patients_are_chosen_as_there_are() -> None:
    said = ["knee_ap a 1", "knee_ap a 1", "knee_ap a 2", "knee_ap b 3", "none a 1", "knee_ap a 1"]
    names = ("label", "source", "patient")
    listed = [Row(line, dict(zip(names, one.split(), strict=True))) for line, one in enumerate(said)]

    assert [row.line for row in select(listed, 2)] == [0, 3, 4]
    assert [row.line for row in select(listed, 3)] == [0, 2, 3, 4]
    assert select(listed, 9) == listed


def test_the_command_writes_what_may_be_passed_on_and_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(400), np.arange(300)) / 700 * 255
    for name in ("a/one.png", "a/two.png", "three.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray((ramp[:: -1 if "two" in name else 1]).astype(np.uint8)).save(tmp_path / name)
    lines = [
        ("a/one.png", "knee_ap", "knee_ap", "p1", "CC BY 4.0", "A. Author", "https://example.org"),
        ("a/two.png", "none", "forearm", "p2", "CC BY-SA 4.0", "A. Author", "https://example.org"),
        ("three.png", "none", "forearm", "p3", "CC0 1.0", "A. Author", "doubtful"),
    ]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *lines])

    arguments = [str(tmp_path), str(tmp_path / "labels.csv"), str(tmp_path / "out"), "--skip", "source=doubtful"]
    result = CliRunner().invoke(main, ["experiment", "exemplars", *arguments])

    assert result.exit_code == 0, result.output
    assert "two.png: its licence does not allow it" in result.output
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"a-one.jpg", TABLE}
    read = read_exemplars(KEYS, Preprocessing(), folder=tmp_path / "out")
    assert (read.labels.tolist(), read.extents.tolist()) == ([KEYS.index("knee_ap")], [[288, 216]])
    assert np.abs(np.diff(read.values[0, 72:216, 100].astype(int))).max() <= 4, "a smooth ramp, as it was"
