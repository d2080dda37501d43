"""Labels files."""

from pathlib import Path

import pytest

from mskmodel.data.dataset import Labelled, LabelsError, read_labels
from tests.drawn_pictures import CLASSES


def test_labels_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,label,licence\na.png,disc,CC0\nb.png,,CC BY-SA 4.0\n")

    assert read_labels(path, tmp_path, CLASSES) == [
        Labelled(tmp_path / "a.png", "disc"),
        Labelled(tmp_path / "b.png", None),
    ]
    assert [row.file.name for row in read_labels(path, tmp_path, CLASSES, [("licence", "BY-SA")])] == ["a.png"]
    with pytest.raises(LabelsError, match="colour"):
        read_labels(path, tmp_path, CLASSES, [("colour", "red")])
    with pytest.raises(LabelsError, match="disc"):
        read_labels(path, tmp_path, ("stripes",))
    path.write_text("a.png,disc\n")
    with pytest.raises(LabelsError, match="file and label"):
        read_labels(path, tmp_path, CLASSES)
