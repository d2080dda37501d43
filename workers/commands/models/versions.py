"""What people ask about model versions: how each stands, and how two of them compare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mskmodel.registry.registry import REPORT, SHIPPED, Registry, RegistryError, read_manifest
from workers.terminal.bars import through
from workers.terminal.model_option import load_classifier, open_registry

if TYPE_CHECKING:
    from mskmodel.data.dataset import Labelled
    from mskmodel.registry.classifier import Classifier
    from mskmodel.versions.comparison import Comparison, Said

__all__ = ["VersionFacts", "all_versions", "compare_kept", "compare_on_folder"]


@dataclass(frozen=True)
class VersionFacts:
    """A version, and how it stands in its registry."""

    name: str
    manifest: dict[str, Any]
    standing: str
    """In words: served, refused, waiting for approval..."""
    served: bool
    shipped: bool
    report: Path | None
    damage: str | None = None
    """Why it cannot be served, as far as its manifest tells."""

    @classmethod
    def of(cls, registry: Registry, directory: Path) -> "VersionFacts":
        """Raises RegistryError if it is not whole."""
        manifest = read_manifest(directory)
        shipped = directory == SHIPPED
        pointer = "shipped" if shipped else directory.name
        served = (registry.promoted_name() or "shipped") == pointer
        report = directory / REPORT
        standing = _standing(registry, manifest, pointer, served)
        return cls(manifest["version"], manifest, standing, served, shipped, report if report.is_file() else None)

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The gate's, where it was asked."""
        return self.manifest.get("gate")

    @property
    def summary(self) -> str:
        """One line."""
        if self.damage:
            return f"damaged: {self.damage}"
        top1 = self.manifest.get("metrics", {}).get("top1")
        right = "" if top1 is None else f", {top1:.1%} right on its hold-out"
        return f"{len(self.manifest['classes'])} classes{right}  {self.manifest.get('made', '')}  {self.standing}"


def all_versions(registry: Registry) -> list[VersionFacts]:
    """The shipped one first, then oldest first; a damaged one hides no other."""
    found = [VersionFacts.of(registry, SHIPPED)]
    for name in registry.versions():
        try:
            found.append(VersionFacts.of(registry, registry.find(name)))
        except RegistryError as error:
            served = registry.promoted_name() == name
            found.append(VersionFacts(name, {}, "damaged", served, False, None, str(error)))
    return found


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


def _standing(registry: Registry, manifest: dict[str, Any], pointer: str, served: bool) -> str:
    history = registry.history()
    since = [entry["at"] for entry in history if entry["version"] == pointer]
    until = [entry["at"] for entry in history if (entry["before"] or "shipped") == pointer]
    if served:
        return f"served since {since[-1]}" if since else "served"
    if until:
        return f"was served until {until[-1]}"
    verdict = manifest.get("gate")
    if verdict is None:
        return "not served, never before the gate"
    if not verdict["passed"]:
        return "refused by the gate"
    return f"passed the gate, not served yet: msk models promote {manifest['version']}"
