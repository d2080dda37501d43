"""Two versions compared on the same held-out pictures: the verdict on the newer one, and the answers of each.

A version's answers are kept beside its weights as ``answers.json``, by the identifiers of the pictures, so that any two
versions can be compared later on the pictures that both were shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.data.same_picture import picture_digest
from mskmodel.judging.evaluation import Judgement
from mskmodel.judging.gate import Predictions, Verdict, judge_answers
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.versions.conversion import logits_of

__all__ = ["ANSWERS", "ANSWERS_BEFORE", "Comparison", "ComparisonError", "Said", "beside", "compare", "identifiers"]

#: Files beside the weights: the answers of the version, and those of the version that it was compared with.
ANSWERS, ANSWERS_BEFORE = "answers.json", "answers.before.json"
#: Pictures copied at a time.
_CHUNK = 256


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


def beside(
    served: Classifier,
    logits: NDArray[np.float32],
    decision: Decision,
    classes: Sequence[str],
    judged: Pictures,
    phantoms: NDArray[np.bool_],
    kept: Said | None = None,
) -> Comparison:
    """Compare a new version with the one that is served, on pictures that the new one has not learned from.

    ``logits``: of the new version, (n, classes + 1). ``classes``: its own, which number the labels of ``judged``.
    ``phantoms``: which pictures are phantoms, (n,). ``kept``: answers of the served version to pictures that it has
    learned from since, by models that had not.
    """
    pictures = identifiers(judged)
    truths = [classes[label] if label < len(classes) else None for label in judged.labels.tolist()]
    old = _answers_of(served, judged, pictures, truths, kept)
    new = Said.of("", logits, decision, classes, pictures, truths)
    return _with_given_up(compare(old, new, classes, served.classes, phantoms), served.classes)


def _answers_of(
    served: Classifier, judged: Pictures, pictures: Sequence[str], truths: Sequence[str | None], kept: Said | None
) -> Said:
    """The kept answers of the served version, and to all other pictures those that it gives now."""
    place = {} if kept is None else {picture: number for number, picture in enumerate(kept.pictures)}
    asked = np.array([number for number, picture in enumerate(pictures) if picture not in place], np.int64)
    logits = np.zeros((len(pictures), len(served.classes) + 1), np.float32)
    for some in np.array_split(asked, range(_CHUNK, len(asked), _CHUNK)):
        if len(some):
            logits[some] = logits_of(served.model, judged.part(some), served.preprocessing)
    now = Said.of(served.version, logits, served.decision, served.classes, pictures, truths)
    if kept is None:
        return now
    rows = [place.get(picture) for picture in pictures]
    return Said(
        served.version,
        now.pictures,
        now.truths,
        tuple(a if row is None else kept.likeliest[row] for a, row in zip(now.likeliest, rows, strict=True)),
        np.array([a if r is None else kept.confidence[r] for a, r in zip(now.confidence, rows, strict=True)]),
        np.array([a if r is None else kept.labelled[r] for a, r in zip(now.labelled, rows, strict=True)], np.bool_),
    )


def _with_given_up(comparison: Comparison, before: Sequence[str]) -> Comparison:
    """Add the classes that were given up to the verdict's limits: no picture can show that loss."""
    given_up = [key for key in before if key not in comparison.classes]
    if not given_up:
        return comparison
    limits = (*comparison.verdict.limits, f"no longer among the classes: {', '.join(given_up)}")
    return replace(comparison, verdict=replace(comparison.verdict, limits=limits))


def identifiers(pictures: Pictures) -> list[str]:
    """A name for each picture that is the same for the same pixels, whichever snapshot they are in."""
    return [picture_digest(values) for values in pictures.values]
