"""Two versions compared on the same held-out pictures: the verdict on the newer one, and the answers of each.

A version's answers are kept beside its weights as ``answers.json``, by the identifiers of the pictures, so that any two
versions can be compared later on the pictures that both were shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.judging.gate import Predictions, Verdict, judge_answers
from mskmodel.judging.judgement import Judgement
from mskmodel.registry import Registry, read_manifest
from mskmodel.registry.decision import Decision

__all__ = ["ANSWERS", "ANSWERS_BEFORE", "Comparison", "ComparisonError", "Said", "compare", "compare_kept"]

#: Files beside the weights: the answers of the version, and those of the version that it was compared with.
ANSWERS, ANSWERS_BEFORE = "answers.json", "answers.before.json"


class ComparisonError(Exception):
    """Two versions cannot be compared: nothing is kept with one of them, or they saw no picture in common."""


@dataclass(frozen=True, eq=False)
class Said:
    """A version's answers to n pictures.

    ``pictures``: their identifiers. ``truths``: the true class, None for none of the classes. ``likeliest``: (n,)
    names of the likeliest class; ``confidence``: (n,) its probability; ``labelled``: (n,) bool, whether it is given as
    a label; else the version abstains.
    """

    version: str
    pictures: tuple[str, ...]
    truths: tuple[str | None, ...]
    likeliest: tuple[str, ...]
    confidence: NDArray[np.float64]
    labelled: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        version: str,
        logits: NDArray[np.float32],
        decision: Decision,
        classes: Sequence[str],
        pictures: Sequence[str],
        truths: Sequence[str | None],
    ) -> Said:
        """From (n, len(classes) + 1) logits of a version with these classes."""
        judged = Judgement.of(logits, np.zeros(len(logits), np.int64), decision)
        likeliest = tuple(classes[best] for best in judged.best)
        return cls(version, tuple(pictures), tuple(truths), likeliest, judged.confidence, judged.answered)

    def to_json(self) -> bytes:
        """Content of the file ``ANSWERS``."""
        columns = {
            "version": self.version,
            "pictures": self.pictures,
            "truths": self.truths,
            "likeliest": self.likeliest,
            "confidence": [round(value, 4) for value in self.confidence.tolist()],
            "labelled": self.labelled.tolist(),
        }
        return json.dumps(columns, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def load(cls, directory: Path, version: str, name: str = ANSWERS) -> Said:
        """Read the answers of this name in a version's directory. Raises ComparisonError."""
        path = directory / name
        try:
            found = json.loads(path.read_bytes())
            pictures, truths, likeliest = (tuple(found[name]) for name in ("pictures", "truths", "likeliest"))
            confidence = np.asarray(found["confidence"], np.float64)
            labelled = np.asarray(found["labelled"], np.bool_)
        except FileNotFoundError as error:
            raise ComparisonError(f"no answers are kept with {version}: compare on --images and --labels") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ComparisonError(f"{path} cannot be read: {error}") from error
        if len({len(pictures), len(truths), len(likeliest), len(confidence), len(labelled)}) != 1:
            raise ComparisonError(f"{path} is damaged: its columns differ in length")
        return cls(version, pictures, truths, likeliest, confidence, labelled)

    def only(self, pictures: Sequence[str]) -> Said:
        """The answers to those pictures, in that order."""
        place = {picture: number for number, picture in enumerate(self.pictures)}
        rows = [place[picture] for picture in pictures]
        truths = tuple(self.truths[row] for row in rows)
        likeliest = tuple(self.likeliest[row] for row in rows)
        return Said(self.version, tuple(pictures), truths, likeliest, self.confidence[rows], self.labelled[rows])

    def answers(self, classes: Sequence[str]) -> Predictions:
        """The answers for the gate, with classes as indices of ``classes``."""
        number = {key: index for index, key in enumerate(classes)}
        likeliest = np.array([number.get(key, -1) for key in self.likeliest], np.int64)
        return Predictions(likeliest, self.labelled, self.confidence)


@dataclass(frozen=True, eq=False)
class Comparison:
    """``old`` and ``new`` on the same pictures; ``labels``: (n,) int64, ``len(classes)`` = none of them."""

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    old: Said
    new: Said
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """For a manifest: the verdict, and the version that was compared with."""
        return {"against": self.old.version, **self.verdict.to_json()}

    @property
    def differs(self) -> NDArray[np.bool_]:
        """On which pictures the labels differ, or only one of the versions abstains, (n,)."""
        said = np.array([a != b for a, b in zip(self.old.likeliest, self.new.likeliest, strict=True)], np.bool_)
        old, new = self.old.labelled, self.new.labelled
        return np.asarray((said & (old | new)) | (old != new), np.bool_)

    @property
    def right(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What the older version gets right, and what the newer one does, (n,) each."""
        old, new = (said.answers(self.classes).right(self.labels, len(self.classes)) for said in (self.old, self.new))
        return old, new

    @property
    def differing(self) -> NDArray[np.int64]:
        """The pictures on which they differ: what was lost first, what was won last, the surest first in each group."""
        was, now = self.right
        rows = np.flatnonzero(self.differs)
        order = np.lexsort((-np.asarray(self.new.confidence)[rows], now[rows] & ~was[rows], ~(was & ~now)[rows]))
        return np.asarray(rows[order], np.int64)


def compare(
    old: Said, new: Said, classes: Sequence[str], before: Sequence[str], phantoms: NDArray[np.bool_] | None = None
) -> Comparison:
    """Compare two versions on the pictures that both were shown; the truths are those of ``new``.

    ``classes``: the newer version's; only these are judged, and any other truth counts as none of them. ``before``:
    the older version's. ``phantoms``: which pictures are phantoms, (n,); they stand for all that is seldom corrected,
    as people mostly correct what the older version had wrong. Raises ComparisonError if there is no picture in common.
    """
    if old.pictures != new.pictures:
        both = set(old.pictures) & set(new.pictures)
        if not both:
            raise ComparisonError(f"{old.version} and {new.version} were shown no picture in common")
        shared = [picture for picture in new.pictures if picture in both]
        old, new = old.only(shared), new.only(shared)
    number = {key: index for index, key in enumerate(classes)}
    labels = np.array([len(classes) if t is None else number.get(t, len(classes)) for t in new.truths], np.int64)
    groups = {}
    if set(classes) - set(before):
        known = [number[key] for key in before if key in number]
        groups["the classes that the version before knows, taken together, are"] = np.isin(labels, known)
    verdict = judge_answers(old.answers(classes), new.answers(classes), labels, classes, groups, phantoms)
    return Comparison(tuple(classes), labels, old, new, verdict)


def compare_kept(registry: Registry, old: str, new: str) -> Comparison:
    """Compare two versions on the hold-outs that are kept with them. Raises ComparisonError, RegistryError."""
    directories = registry.find(old), registry.find(new)
    before, after = (read_manifest(directory) for directory in directories)
    name = str(before["version"])
    measured = after.get("gate", {}).get("against") == name
    where = (directories[1], name, ANSWERS_BEFORE) if measured else (directories[0], name, ANSWERS)
    said = Said.load(*where), Said.load(directories[1], str(after["version"]))
    return compare(*said, after["classes"], before["classes"])
