"""What a site's headers are worth, learned from its archive: from truths, and from the pixels where there are none.

As Dawid and Skene (1979, Applied Statistics 28, 20-28) weigh observers whose errors are unknown, by expectation and
maximisation: what each radiograph shows is estimated from its pixels and its header, worth as much as the counts
say; then the counts are made anew from the estimates. The pixels are an observer whose answers are probabilities
already; they are not learned about. A person's truth leaves nothing to estimate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mskmodel.evidence.claim import REGION, VIEW, Claims, is_code
from mskmodel.evidence.combination import of_one_hand, pinned, weighed
from mskmodel.evidence.hypotheses import Hypotheses
from mskmodel.evidence.reliability import PRIOR, FieldCounts, Reliability, term_of
from mskmodel.evidence.shrinkage import (
    GROUP,
    LITERATURE,
    goes_with,
    posterior,
    prior,
    right_share,
    says,
    shares,
    site_strength,
    usual_shares,
)

__all__ = ["HANDFUL", "Observation", "learned"]

#: Patients on whom a site's own code, or a group, has to stand to be kept.
HANDFUL: Final = 5
#: Claims of a field that weigh as much as what literature says of how many are right.
_LITERATURE: Final = 20.0
#: Share of pictures of which the pixels are taken to know nothing. Abroad they are wrong in 9 to 21 of 100, and often
#: sure of it; taken as they are, their mistakes would be counted as the header's.
_LOST: Final = 0.2
#: The estimates have settled when none of the shares of right claims and no count per radiograph moves by more.
_SETTLED, _ROUNDS = 1e-3, 60
_DIGITS = 3
_TINY = float(np.finfo(float).tiny)

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Observation:
    """A radiograph of the archive.

    ``pixels``: (classes + 1,) probabilities by the pixels alone. ``truth``: what a person said that it shows, a class
    or ``none``; ``""`` where nobody did. ``weight``: how many radiographs it stands for; below 1 for what was chosen to
    be looked at more often than others. ``patient``: any text that differs between patients; it is not kept.
    """

    pixels: NDArray[np.float64]
    claims: Claims
    truth: str = ""
    weight: float = 1.0
    patient: str = ""


def learned(observations: Sequence[Observation], classes: Sequence[str]) -> Reliability:
    """Estimate what the headers are worth; with no observations, the prior.

    Raises ValueError for pixels of other classes. 20,000 observations take about a second.
    """
    hypotheses = Hypotheses.of(tuple(classes))
    if any(len(one.pixels) != len(classes) + 1 for one in observations):
        raise ValueError("the pixels' probabilities are of other classes")
    if not observations:
        return PRIOR
    pixels = np.array([one.pixels for one in observations], np.float64)
    split = hypotheses.split((1.0 - _LOST) * pixels + _LOST / pixels.shape[1])
    for row, one in enumerate(observations):
        if one.truth:
            split[row] = pinned(split[row], one.truth, hypotheses)
    kinds = [_Fields(observations, kind, hypotheses) for kind in (REGION, VIEW)]
    for _ in range(_ROUNDS):
        logs = np.sum([hypotheses.spread(one.logs(), one.kind, 0.0) for one in kinds], axis=0)
        answers = weighed(split, of_one_hand(logs))
        if max([one.count(answers @ hypotheses.membership(one.kind)) for one in kinds]) < _SETTLED:
            break
    return Reliability(len(observations), tuple(each for one in kinds for each in one.fields()))


class _Fields:
    """All fields' claims of one kind, and what was counted of them so far."""

    def __init__(self, observations: Sequence[Observation], kind: str, hypotheses: Hypotheses) -> None:
        """Each combination of field, term and group that is kept becomes a cell, with counts by region or view."""
        self.kind, self._axis = kind, hypotheses.axis(kind)
        kept = _kept(observations, kind)
        cells: dict[tuple[str, str, str], int] = {}
        rows, columns = [], []
        for row, one in enumerate(observations):
            for cell in _cells_of(one, kind, kept):
                rows.append(row)
                columns.append(cells.setdefault(cell, len(cells)))
        shape = (len(observations), len(cells))
        self._claims = csr_array((np.ones(len(rows)), (rows, columns)), shape)
        self._weight = np.array([one.weight for one in observations])[:, None]
        self._cells = list(cells)
        terms, self._term = _numbered([(name, term) for name, term, _ in cells])
        stations, self._station = _numbered([(name, group) for name, _, group in cells])
        self._fields, self._field = _numbered([name for name, _ in terms])
        self._field_of_station = _numbered([name for name, _ in stations], self._fields)[1]
        self._grouped = np.array([group != "" for *_, group in cells], bool)[:, None]
        self._goes = np.array([goes_with(term, kind, self._axis) for _, term in terms]).reshape(-1, len(self._axis))
        self._strength = np.array([site_strength(term, kind) for _, term in terms])[:, None]
        self._usual = usual_shares(hypotheses, kind)
        self._right = np.full(len(self._fields), LITERATURE)
        self._counts = np.zeros((len(cells), len(self._axis)))

    def logs(self) -> NDArray[np.float64]:
        """Log likelihoods of each observation's claims, (observations, axis), as in `combination`."""
        likelihoods = self._likelihoods()
        weights = says(likelihoods)
        return np.asarray(self._claims @ (weights * np.log(likelihoods)) / np.maximum(self._claims @ weights, _TINY))

    def count(self, answers: NDArray[np.float64]) -> float:
        """Count anew, with what the radiographs show, (observations, axis); return by how much shares moved."""
        counts = np.asarray(self._claims.T @ (answers * self._weight))
        moved = np.abs(counts - self._counts).sum() / max(counts.sum(), 1.0)
        self._counts = counts
        met = _summed(counts, self._term, len(self._goes))
        right, size = self._right, len(self._right)
        hits = np.nan_to_num(met * right_share(self._goes, right[self._field])).sum(axis=1)
        told = np.where(np.isnan(self._goes), 0.0, met).sum(axis=1)
        self._right = (_summed(hits, self._field, size) + _LITERATURE * LITERATURE) / (
            _summed(told, self._field, size) + _LITERATURE
        )
        return float(max(moved, np.abs(self._right - right).max(initial=0.0)))

    def fields(self) -> list[FieldCounts]:
        """What was counted."""
        terms: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in self._fields}
        groups: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {name: defaultdict(dict) for name in self._fields}
        for (name, term, group), counts in zip(self._cells, self._counts, strict=True):
            terms[name][term] = terms[name].get(term, 0.0) + counts
            if group:
                groups[name][group][term] = _rounded(counts)
        return [
            FieldCounts(
                self.kind,
                name,
                self._axis,
                round(float(right), _DIGITS),
                {term: _rounded(counts) for term, counts in terms[name].items()},
                dict(groups[name]),
            )
            for name, right in zip(self._fields, self._right, strict=True)
        ]

    def _likelihoods(self) -> NDArray[np.float64]:
        """Of each cell, (cells, axis), as `Reliability.likelihood` says them."""
        met = _summed(self._counts, self._term, len(self._goes))
        among = shares(_summed(met, self._field, len(self._fields)), self._usual)
        site = prior(self._goes, self._right[self._field], among[self._field])
        site = posterior(met, among[self._field], site, self._strength)[self._term]
        stations = _summed(self._counts, self._station, len(self._field_of_station))
        of_station = shares(stations, among[self._field_of_station])[self._station]
        return np.where(self._grouped, posterior(self._counts, of_station, site, GROUP), site)


def _kept(observations: Sequence[Observation], kind: str) -> set[str]:
    """Codes and groups that stand on a handful of patients; those without a name count as one."""
    patients = defaultdict(set)
    for one in observations:
        patients[one.claims.group].add(one.patient)
        for claim in one.claims.claims:
            if claim.kind == kind and is_code(claim.terms[0]):
                patients[claim.terms[0]].add(one.patient)
    return {name for name, those in patients.items() if len(those) >= HANDFUL}


def _cells_of(one: Observation, kind: str, kept: set[str]) -> list[tuple[str, str, str]]:
    """Field, term and group of each claim of this kind; codes and groups of fewer patients are left out."""
    group = one.claims.group if one.claims.group in kept else ""
    said = [(claim.field, term_of(claim), group) for claim in one.claims.claims if claim.kind == kind]
    return [cell for cell in said if cell[1] in kept or not is_code(cell[1])]


def _numbered(names: Sequence[T], known: Sequence[T] = ()) -> tuple[list[T], NDArray[np.int64]]:
    """The different names, and the number of each among them."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*known, *names]))}
    return list(numbers), np.array([numbers[name] for name in names], np.int64)


def _summed(values: NDArray[np.float64], index: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Sums of the rows with the same index."""
    found = np.zeros((size, *values.shape[1:]))
    np.add.at(found, index, values)
    return found


def _rounded(counts: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(count), _DIGITS) for count in counts)
