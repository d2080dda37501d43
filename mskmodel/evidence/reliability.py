"""What the headers of a site are worth: counts of what its fields said of which region and view, and no texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mskmodel.evidence.claim import Claim
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.shrinkage import (
    GROUP,
    LITERATURE,
    goes_with,
    posterior,
    prior,
    shares,
    site_strength,
    usual_shares,
)

__all__ = ["PRIOR", "SCHEMA", "Counts", "FieldCounts", "Reliability", "term_of"]

#: Number of the layout of ``to_json``.
SCHEMA: Final = 1

#: By term, how often it went with each answer of an axis: sums of probabilities, so no whole numbers.
Counts = Mapping[str, tuple[float, ...]]


def term_of(claim: Claim) -> str:
    """What is counted of a claim: its term, or all of them that may be meant as a term of its own."""
    return "+".join(claim.terms)


@dataclass(frozen=True)
class FieldCounts:
    """What the claims of one kind in one field went with.

    ``axis``: the regions or views, see `Hypotheses`. ``right``: estimated share of its claims that are right, 0..1;
    of a site's own codes nobody can say that. ``groups``: counts by group, each part of those of ``terms``.
    """

    kind: str
    field: str
    axis: tuple[str, ...]
    right: float
    terms: Counts
    groups: Mapping[str, Counts]

    @cached_property
    def total(self) -> tuple[float, ...]:
        """Over all terms, (axis,)."""
        return _sum(self.terms, len(self.axis))

    @cached_property
    def group_totals(self) -> Mapping[str, tuple[float, ...]]:
        """The same by group."""
        return {group: _sum(counts, len(self.axis)) for group, counts in self.groups.items()}


@dataclass(frozen=True, eq=False)
class Reliability:
    """What is known of a site's headers, from ``observations`` radiographs. Equal to itself alone."""

    observations: int = 0
    fields: tuple[FieldCounts, ...] = ()

    def likelihood(self, claim: Claim, group: str, hypotheses: Hypotheses) -> NDArray[np.float64]:
        """How likely a claim is for each region or view, (axis,), relative to how likely it is at all."""
        axis, term = hypotheses.axis(claim.kind), term_of(claim)
        weights = goes_with(term, claim.kind, axis)[None]
        among = usual_shares(hypotheses, claim.kind)
        met = next((one for one in self.fields if (one.kind, one.field) == (claim.kind, claim.field)), None)
        if met is None:
            return np.asarray(prior(weights, np.array([LITERATURE]), among)[0])
        among = shares(_aligned(met.total, met.axis, axis), among)
        found = prior(weights, np.array([met.right]), among)
        found = posterior(
            _aligned(met.terms.get(term), met.axis, axis)[None], among, found, site_strength(term, claim.kind)
        )
        if group in met.groups:
            among = shares(_aligned(met.group_totals[group], met.axis, axis), among)
            found = posterior(_aligned(met.groups[group].get(term), met.axis, axis)[None], among, found, GROUP)
        return np.asarray(found[0])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"schema": SCHEMA, "observations": self.observations, "fields": [_field(one) for one in self.fields]}

    @classmethod
    def from_json(cls, values: Any) -> Reliability:
        """From ``to_json``. Raises ValueError for anything else, other schemas included."""
        try:
            if values["schema"] != SCHEMA:
                raise ValueError(f"schema {values['schema']!r} is not known")
            return cls(int(values["observations"]), tuple(_read(one) for one in values["fields"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("these are no counts of headers") from error


#: What is known before any radiograph of the site.
PRIOR: Final = Reliability()


def _sum(counts: Counts, size: int) -> tuple[float, ...]:
    return tuple(np.sum([*counts.values(), (0.0,) * size], axis=0).tolist())


def _aligned(counts: tuple[float, ...] | None, axis: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[np.float64]:
    """Counts on the axis of another version, 0 for what was not told apart when they were made."""
    if counts is None:
        return np.zeros(len(wanted))
    found = dict(zip(axis, counts, strict=True))
    return np.array([found.get(answer, 0.0) for answer in wanted])


def _field(one: FieldCounts) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "field": one.field,
        "axis": list(one.axis),
        "right": one.right,
        "terms": _plain(one.terms),
        "groups": {group: _plain(counts) for group, counts in one.groups.items()},
    }


def _plain(counts: Counts) -> dict[str, list[float]]:
    return {term: list(row) for term, row in counts.items()}


def _read(values: Mapping[str, Any]) -> FieldCounts:
    axis = tuple(map(str, values["axis"]))
    right = float(values["right"])
    if not 0.0 <= right <= 1.0:
        raise ValueError("a share is not within 0..1")
    groups = {str(group): _counts(counts, axis) for group, counts in values["groups"].items()}
    return FieldCounts(str(values["kind"]), str(values["field"]), axis, right, _counts(values["terms"], axis), groups)


def _counts(values: Mapping[str, Any], axis: tuple[str, ...]) -> Counts:
    found = {str(term): tuple(float(count) for count in row) for term, row in values.items()}
    if any(len(row) != len(axis) or not all(np.isfinite(row)) or min(row) < 0 for row in found.values()):
        raise ValueError("counts are not one number of at least 0 for each region or view")
    return found
