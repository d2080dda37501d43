"""From the model's answer and what else is known to the outcome: pixels, header and study decide together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import Claims
from mskmodel.evidence.combination import Combined, Sibling, combined
from mskmodel.evidence.disagreement import disagreement
from mskmodel.evidence.reliability import Reliability
from mskmodel.evidence.sentence import sentence
from mskmodel.registry.classifier import Classifier
from mskmodel.registry.decision import MORE_VIEWS, Classification, Decision
from mskmodel.tables.label_cell import NONE
from workers.labelling.site import Site
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW

__all__ = ["Judge", "kinds_of", "pixels_of"]

#: Significant digits of a probability or likelihood in an outcome: a small one still counts beside a large one.
_DIGITS = 4
#: Kinds of none of the classes that are less probable are left out of an outcome; they count as of no known kind.
_LEAST = 0.001


@dataclass(frozen=True, eq=False)
class Judge:
    """Decides by one version's operating point.

    ``reliability``: what the site's headers are worth. ``pixels_alone``: whether the site wants labels by the pixels
    alone; evidence is then told, and decides nothing.
    """

    classes: tuple[str, ...]
    decision: Decision
    reliability: Reliability
    pixels_alone: bool = False

    @classmethod
    def of(cls, classifier: Classifier, site: Site) -> Self:
        """By a loaded version, at a site."""
        return cls(classifier.classes, classifier.decision, site.reliability, site.pixels_alone)

    def outcome_of(self, pixels: Classification, claims: Claims, siblings: Sequence[Sibling] = ()) -> dict[str, Any]:
        """The fields of an `Outcome` that say what an instance shows and why.

        Args:
            pixels: the answer by the pixels alone.
            siblings: other instances of its study.
        """
        if not pixels.probabilities:
            return _said(pixels) | {"claims": claims.to_json()}
        row, kinds = np.array(pixels.probabilities), dict(pixels.kinds)
        answer = combined(row, self.classes, claims, siblings, self.reliability, kinds)
        by_all = self.decision.decide(answer.probabilities, self.classes) if answer.pieces else pixels
        if pixels.reason == MORE_VIEWS:  # neither header nor study says how many views are on a film
            by_all = replace(by_all, label=None, reason=MORE_VIEWS)
        return _said(pixels if self.pixels_alone else by_all) | {
            "explanation": sentence(row, self.classes, claims, answer, kinds),
            "region": _likeliest(combined(row, self.classes, kinds=kinds) if self.pixels_alone else answer),
            "pixels": _by_key(self.classes, row),
            "kinds": {key: _digits(probability) for key, probability in kinds.items() if probability >= _LEAST},
            "claims": claims.to_json(),
            "evidence": {name: _by_key(self.classes, found) for name, found in answer.pieces.items()},
            "disagreement": round(disagreement(row, self.classes, claims), _DIGITS) if claims.claims else None,
        }

    def by_pixels(self, pixels: Mapping[str, float], kinds: Mapping[str, float]) -> Classification:
        """The answer by the pixels alone, from the probabilities in an outcome of this version. Raises KeyError."""
        return self.decision.decide(pixels_of(pixels, self.classes), self.classes, tuple(kinds.items()))


def pixels_of(pixels: Mapping[str, float], classes: Sequence[str]) -> NDArray[np.float64]:
    """The probabilities in an outcome as an array, (classes + 1,).

    Raises KeyError for those of other classes, ValueError or TypeError for what are no numbers.
    """
    return np.array([float(pixels[key]) for key in (*classes, NONE)])


def kinds_of(kinds: Mapping[str, float]) -> dict[str, float]:
    """The kinds of none of the classes in an outcome. Raises ValueError or TypeError for what are no probabilities."""
    found = {key: float(probability) for key, probability in kinds.items()}
    if not all(0.0 <= probability <= 1.0 for probability in found.values()):
        raise ValueError("a probability is not within 0..1")
    return found


def _said(found: Classification) -> dict[str, Any]:
    return {
        "status": LABELLED if found.label else NEEDS_REVIEW,
        "label": found.label,
        "confidence": round(found.confidence, 4),
        "top5": tuple((key, round(probability, 4)) for key, probability in found.top5),
        "reason": found.reason,
    }


def _likeliest(answer: Combined) -> tuple[str, float]:
    region, probability = max(answer.regions.items(), key=lambda each: each[1])
    return region, round(probability, _DIGITS)


def _by_key(classes: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {key: _digits(value) for key, value in zip((*classes, NONE), values.tolist(), strict=True)}


def _digits(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
