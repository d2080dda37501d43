"""A new version beside the one that is served, on pictures that the new one has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.data.same_picture import picture_digest
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.versions.comparison import Comparison, Said, compare
from mskmodel.versions.conversion import logits_of

__all__ = ["beside", "identifiers"]

#: Pictures copied at a time.
_CHUNK = 256


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
