"""The model's answers for some pictures, where one that it cannot answer for must not cost the others theirs."""

import logging
from collections.abc import Sequence

import numpy as np
from billiard.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray

from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import Classification
from workers.labelling.blame import ModelBroken

__all__ = ["answers"]

log = logging.getLogger(__name__)


def answers(classifier: Classifier, pictures: Sequence[NDArray[np.float32]]) -> list[Classification | None]:
    """The model's answers, in order; None for a picture that it cannot answer for although it can for another one.

    Args:
        pictures: inputs of the network, (3, size, size) each.

    Raises:
        ModelBroken: it answers for none of them, and not for an empty picture either.
    """
    try:
        return list(classifier.classify(pictures))
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the model raises, it is now asked for each picture alone
        kind = type(error).__name__
    result = [_answer(classifier, each) for each in pictures]
    if not any(result) and _answer(classifier, np.zeros_like(pictures[0])) is None:
        raise ModelBroken(f"the model answers for no picture ({kind})")
    return result


def _answer(classifier: Classifier, picture: NDArray[np.float32]) -> Classification | None:
    try:
        return classifier.classify([picture])[0]
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        log.exception("picture-not-classified error=%s", type(error).__name__)
        return None
