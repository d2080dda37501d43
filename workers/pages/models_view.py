"""What the pages of model versions show, in words and numbers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mskmodel.judging.figures import FIGURES
from mskmodel.judging.gate import Paired, Verdict
from mskmodel.registry.standing import VersionFacts
from mskmodel.tables.label_cell import NONE
from mskmodel.versions.comparison import Comparison, Said
from mskmodel.versions.kept_pictures import kept_names
from workers.pages.times import local_time
from workers.pages.wording import display, percent

__all__ = ["Difference", "Line", "differences", "facts", "figures", "line", "pairs", "standing"]

#: Pictures of a comparison that are shown at most.
SHOWN = 120
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.+-]+")
#: Figures in the list of versions.
LISTED = ("top1", "mean_recall", "top5_error", "abstained", "none_labelled")
#: Of the training, in the order in which they are shown.
TRAINING = ("epochs", "views", "batch", "rate", "seed")


@dataclass(frozen=True)
class Line:
    """A version in the list. ``figures``: as `LISTED`."""

    name: str
    made: str
    classes: int
    figures: Sequence[str]
    standing: str
    gate: str
    served: bool
    damage: str | None


def line(version: VersionFacts) -> Line:
    """Of one version."""
    metrics = version.manifest.get("metrics", {})
    gate = ""
    if version.verdict:
        gate = ("passed: " if version.verdict["passed"] else "refused: ") + Verdict.from_json(version.verdict).sentence
    return Line(
        version.name,
        local_time(version.manifest.get("made")),
        len(version.manifest.get("classes", ())),
        [figure(metrics.get(name)) for name in LISTED],
        standing(version),
        gate,
        version.served,
        version.damage,
    )


def standing(version: VersionFacts) -> str:
    """How it stands, without the command that changes that."""
    said = _TIME.sub(lambda found: local_time(found[0]), version.standing.partition(": msk")[0])
    return said + (" (came with the program)" if version.shipped else "")


def figure(value: Any) -> str:
    """A figure from 0 to 1; a dash where there is none."""
    return percent(value, 1) if isinstance(value, int | float) else "-"


def figures(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every figure with its 95 % interval."""
    metrics = manifest.get("metrics", {})
    found = []
    for name, title in FIGURES.items():
        bounds = metrics.get("intervals", {}).get(name)
        interval = f"{figure(bounds['low'])} to {figure(bounds['high'])}" if bounds else ""
        found.append((title, figure(metrics.get(name)), interval))
    return found


def facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it came about."""
    training = manifest.get("training", {})
    found = [
        ("made", local_time(manifest.get("made"))),
        ("started from", str(manifest.get("starting_weights", "not known"))),
    ]
    found += [(name, str(training[name])) for name in TRAINING if name in training]
    for each in manifest.get("data", ()):
        said = f"{each['count']:,} pictures, {percent(each['share'])} of the draws"
        found.append((f"trained on {each['name']}", said))
    found.append(("held out", f"{manifest.get('holdout', {}).get('count', 0):,} pictures"))
    return [*found, ("classes", ", ".join(map(display, manifest.get("classes", ()))))]


def pairs(verdict: Verdict) -> list[Paired]:
    """All pictures, then each class that has any."""
    return [each for each in (verdict.overall, *verdict.classes) if each.count]


@dataclass(frozen=True)
class Difference:
    """A picture on which two versions differ. ``picture``: its address; "" where none is kept."""

    picture: str
    name: str
    truth: str
    before: str
    now: str
    verdict: str


def differences(comparison: Comparison, old: Path, new: Path) -> list[Difference]:
    """The first `SHOWN`, what was lost first. ``old``, ``new``: directories of the versions."""
    was, now = comparison.right
    where = {name: directory.name for directory in (old, new) for name in kept_names(directory)}
    found = []
    for row in comparison.differing[:SHOWN].tolist():
        name = comparison.new.pictures[row]
        verdict = {(True, False): "lost", (False, True): "won"}.get((bool(was[row]), bool(now[row])), "")
        picture = f"/models/{where[name]}/pictures/{name}" if name in where else ""
        truth = display(comparison.new.truths[row] or NONE)
        found.append(Difference(picture, name, truth, _said(comparison.old, row), _said(comparison.new, row), verdict))
    return found


def _said(said: Said, row: int) -> str:
    sure = f"{display(said.likeliest[row])} {percent(said.confidence[row])}"
    return sure if said.labelled[row] else f"{sure}, abstained"
