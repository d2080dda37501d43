"""Labels files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mskmodel.data.dataset import read_pictures
from mskmodel.data.labels_file import Labelled, labelled_rows, name_within, read_labels, read_labels_table
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.tables.problems import TableError
from tests.drawn_pictures import CLASSES


def written(folder: Path, content: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_rows_have_their_file_label_line_and_patient(tmp_path: Path) -> None:
    path = written(tmp_path, 'file,label,patient\n"a.png",disc,"Quincy\nJane"\nb.png,none,\n')

    rows = read_labels(path, tmp_path, CLASSES)

    assert rows == [Labelled(tmp_path / "a.png", "disc"), Labelled(tmp_path / "b.png", None)]
    assert [(row.line, row.patient) for row in rows] == [(2, "Quincy\nJane"), (4, "")]
    assert rows[1].place == f"line 4 of {path}"


def test_rows_are_skipped_by_a_column_before_they_are_checked(tmp_path: Path) -> None:
    table = read_labels_table(written(tmp_path, "file,label,Licence\na.png,disc,CC0\nb.png,nose,CC BY-SA 4.0\n"))

    assert [row.file.name for row in labelled_rows(table, tmp_path, CLASSES, [("licence", "BY-SA")])] == ["a.png"]
    with pytest.raises(TableError, match="line 3: the label is not among the classes"):
        labelled_rows(table, tmp_path, CLASSES)
    short = read_labels_table(written(tmp_path, "file,label,licence\na.png,disc\n"))
    with pytest.raises(TableError, match="line 2: the number of fields differs"):
        labelled_rows(short, tmp_path, CLASSES, [("licence", "BY-SA")])


def test_every_line_that_cannot_be_used_is_told_at_once_and_quotes_nothing_private(tmp_path: Path) -> None:
    wrong = [
        "b.png",
        "c.png,",
        ",disc",
        "d.png,Quincy Jane",
        "e.png,knee_app",
        "f.png,?",
        r"C:\films\g.png,disc",
        "./a.png,stripes",
    ]
    path = written(tmp_path, "\n".join(["file,label", "a.png,disc", *wrong]))

    with pytest.raises(TableError) as error:
        read_labels(path, tmp_path, CLASSES)

    assert str(error.value).splitlines() == [
        f"{path} cannot be used: line 3: the number of fields differs from the first line",
        "line 4: its label is missing; none stands for none of the classes",
        "line 5: file is empty",
        "line 6: the label is not among the classes",
        "line 7: knee_app is not among the classes",
        "line 8: it is not filled in: its label is ?",
        "line 9: names a drive or a server of Windows; write the path within the folder of images",
        "line 10: contradicts line 2, which names the same image",
        "a label is one of stripes, disc, or none for none of them",
    ]


def test_a_screenful_of_lines_is_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "file,label\n" + "".join(f"{number}.png,nose\n" for number in range(70)))

    with pytest.raises(TableError) as error:
        read_labels(path, tmp_path, CLASSES)

    assert "\nline 21: " in str(error.value)
    assert "\nand 50 more lines\n" in str(error.value)


@pytest.mark.parametrize(
    "finished",
    ["file,label,shows\na.png,,forearm\n", "file,label,patient,held_out\na.png,,0123,false\n"],
    ids=["it says what else is shown", "export of an earlier version"],
)
def test_an_empty_label_is_none_of_the_classes_where_the_row_is_finished_all_the_same(
    tmp_path: Path, finished: str
) -> None:
    assert [row.label for row in read_labels(written(tmp_path, finished), tmp_path, CLASSES)] == [None]


def test_paths_are_found_as_windows_and_macos_write_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    decomposed = "u\u0308.png"
    for name in (decomposed, "sub/a.png", "back\\slash.png"):
        (tmp_path / name).touch()
    path = written(tmp_path, "file,label\n.\\sub\\a.png,disc\nü.png,disc\nback\\slash.png,disc\nsub\\gone.png,disc\n")

    found = [row.file for row in read_labels(path, tmp_path, CLASSES)]

    names = ["sub/a.png", decomposed, "back\\slash.png", "sub/gone.png"]
    assert [name_within(file, tmp_path) for file in found] == names
    assert name_within(Path("/elsewhere/b.png"), tmp_path) == "/elsewhere/b.png"


def test_a_picture_counts_once_under_whatever_names_and_contradictions_are_refused(tmp_path: Path) -> None:
    values = (np.mgrid[0:90, 0:70][0] * 2).astype(np.uint8)
    for number, name in enumerate(("a.png", "copy.png", "other.png")):
        Image.fromarray(values if number < 2 else values[::-1]).save(tmp_path / name)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    listed = "file,label\na.png,disc\nother.png,disc\na.png,disc\ncopy.png,disc\nlink.png,disc\ngone.png,disc\n"

    read = read_pictures(read_labels(written(tmp_path, listed), tmp_path, CLASSES), CLASSES, Preprocessing())

    assert [row.file.name for row in read.rows] == ["a.png", "other.png"]
    assert [(one.line, one.reason) for one in read.unreadable] == [
        (4, "the same picture as line 2; it counts once"),
        (5, "the same picture as line 2; it counts once"),
        (6, "the same picture as line 2; it counts once"),
        (7, "No such file or directory"),
    ]
    assert str(read.unreadable[3]) == f"not read: {tmp_path / 'gone.png'} (line 7): No such file or directory"
    contradicting = written(tmp_path, "file,label\na.png,disc\ncopy.png,stripes\nother.png,none\nlink.png,none\n")
    with pytest.raises(TableError) as error:
        read_pictures(read_labels(contradicting, tmp_path, CLASSES), CLASSES, Preprocessing())
    assert str(error.value).splitlines() == [
        f"{contradicting} cannot be used: line 3: contradicts line 2, which shows the same picture",
        "line 5: contradicts line 2, which shows the same picture",
    ]
