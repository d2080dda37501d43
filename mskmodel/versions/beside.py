"""A finished model beside the version that is served: both are asked about the model's hold-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mskmodel.data.dataset import Pictures
from mskmodel.data.same_picture import picture_digest
from mskmodel.network.alexnet import AlexNet
from mskmodel.network.preprocessing import Preprocessing
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Decision
from mskmodel.versions.comparison import Comparison, Said, compare
from mskmodel.versions.conversion import logits_of

__all__ = ["beside", "identifiers"]


def beside(
    served: Classifier,
    model: AlexNet,
    decision: Decision,
    preprocessing: Preprocessing,
    classes: Sequence[str],
    held_out: Pictures,
    phantoms: NDArray[np.bool_],
) -> Comparison:
    """Compare a finished model with the version that is served, on the model's hold-out.

    ``classes``: the model's, which number the labels of ``held_out``. ``phantoms``: which pictures are phantoms, (n,).
    """
    pictures = identifiers(held_out)
    truths = [classes[label] if label < len(classes) else None for label in held_out.labels.tolist()]
    logits = logits_of(served.model, held_out, served.preprocessing)
    old = Said.of(served.version, logits, served.decision, served.classes, pictures, truths)
    new = Said.of("", logits_of(model, held_out, preprocessing), decision, classes, pictures, truths)
    return _with_given_up(compare(old, new, classes, served.classes, phantoms), served.classes)


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
