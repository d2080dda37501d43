"""Two versions beside each other, on the hold-outs that are kept with them or on a folder of radiographs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mskmodel.registry.version import read_manifest
from workers.terminal.bars import through
from workers.terminal.model_option import load_classifier, open_registry

if TYPE_CHECKING:
    from mskmodel.data.dataset import Labelled
    from mskmodel.registry.classifier import Classifier
    from mskmodel.versions.comparison import Comparison, Said

__all__ = ["compare_kept", "compare_on_folder"]


def compare_kept(old: str, new: str) -> "Comparison":
    """On the hold-outs that are kept with the versions. Raises ComparisonError, RegistryError."""
    from mskmodel.versions.comparison import ANSWERS, ANSWERS_BEFORE, Said, compare

    registry = open_registry()
    directories = registry.find(old), registry.find(new)
    before, after = (read_manifest(directory) for directory in directories)
    name = str(before["version"])
    measured = after.get("gate", {}).get("against") == name
    where = (directories[1], name, ANSWERS_BEFORE) if measured else (directories[0], name, ANSWERS)
    said = Said.load(*where), Said.load(directories[1], str(after["version"]))
    return compare(*said, after["classes"], before["classes"])


def compare_on_folder(
    old: str, new: str, images: Path, labels: Path, device: str, tell: Callable[[str], None]
) -> "Comparison":
    """On labelled files; of those that cannot be read, ``tell`` is told. Raises LabelsError, RegistryError."""
    from mskmodel.data.dataset import read_labels
    from mskmodel.versions.comparison import compare

    classifiers = [load_classifier(version, device) for version in (old, new)]
    classes = list(dict.fromkeys(key for one in reversed(classifiers) for key in one.classes))
    rows = read_labels(labels, images, classes)
    before, after = (_answers(classifier, rows, images) for classifier in classifiers)
    for name in sorted({str(row.file.relative_to(images)) for row in rows}.difference(after.pictures)):
        tell(f"not read: {name}")
    return compare(before, after, classes, classifiers[0].classes)


def _answers(classifier: "Classifier", rows: "Sequence[Labelled]", images: Path) -> "Said":
    from mskmodel.data.dataset import Labelled
    from mskmodel.judging.evaluation import answers
    from mskmodel.versions.comparison import Said

    truths = {row.file: row.label for row in rows}
    known = [Labelled(row.file, row.label if row.label in classifier.classes else None) for row in rows]
    found = answers(classifier, known, through("radiographs"))
    files = [row.file for row in found.rows]
    names = [str(file.relative_to(images)) for file in files]
    told = [truths[file] for file in files]
    return Said.of(classifier.version, found.logits, classifier.decision, classifier.classes, names, told)
