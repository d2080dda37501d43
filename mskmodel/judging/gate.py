"""The gate: whether a new version may replace the one that is served, both judged on the same hold-out.

The test is McNemar's, exact and one-sided: of the pictures that only one of the two gets right, how likely is it that
the old one wins at least this many if neither is better? It is not corrected for the number of classes: a false
alarm costs a look at the report, a missed one costs wrong labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.registry.decision import Decision

__all__ = ["NONE", "SIGNIFICANT", "Paired", "Predictions", "Verdict", "judge", "judge_answers"]

#: Significance level: a loss counts if its p-value is below this.
SIGNIFICANT = 0.05
#: Fewest losses, with no win beside them, that are significant: 2 ** -5 < 0.05.
_LEAST = 5
#: Name under which pictures of none of the classes are listed.
NONE = "none of the classes"


@dataclass(frozen=True)
class Paired:
    """Both versions on the same ``count`` pictures; ``label`` is their class, or what else they have in common."""

    label: str
    count: int
    old_right: int
    new_right: int
    #: Right before, wrong now.
    lost: int
    #: Wrong before, right now.
    won: int
    #: p-value: chance of losing at least so many of ``lost + won`` if neither version is better.
    p_worse: float

    @classmethod
    def of(cls, label: str, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Paired:
        """From what each version got right, (n,) each."""
        lost, won = int((old & ~new).sum()), int((~old & new).sum())
        return cls(label, len(old), int(old.sum()), int(new.sum()), lost, won, _chance_of_so_many(lost, lost + won))

    @property
    def is_worse(self) -> bool:
        """Whether the new version is significantly worse."""
        return self.p_worse < SIGNIFICANT

    @property
    def is_too_few(self) -> bool:
        """Whether the old version gets so few right that losing them all would not be significant."""
        return self.old_right < _LEAST


@dataclass(frozen=True)
class Verdict:
    """The gate's verdict. In words, ``reasons``: what decided it; ``limits``: what these pictures cannot show."""

    passed: bool
    reasons: tuple[str, ...]
    limits: tuple[str, ...]
    overall: Paired
    #: Every class, then none of the classes where there are such pictures.
    classes: tuple[Paired, ...]

    @property
    def sentence(self) -> str:
        """The verdict in one sentence. ``reasons`` and ``limits`` have all of it."""
        if not self.overall.count:
            return "it was not judged: no image is held out"
        right = f"it is right on {self.overall.new_right} of {self.overall.count} held-out images"
        right += f", and the version that was served then on {self.overall.old_right}"
        if self.passed:
            return f"{right}; no class is worse beyond chance"
        if self.overall.new_right < self.overall.old_right:
            return right
        more = len(self.reasons) - 1
        return self.reasons[0] + (f", and {more} more reason{'s' if more > 1 else ''}" if more else "")

    def to_json(self) -> dict[str, Any]:
        """For a manifest or a job."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Verdict:
        """From ``to_json``. KeyError or TypeError if it is none."""
        return cls(
            bool(found["passed"]),
            tuple(found["reasons"]),
            tuple(found["limits"]),
            Paired(**found["overall"]),
            tuple(Paired(**one) for one in found["classes"]),
        )


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers of a version for n pictures.

    ``likeliest``: (n,) int64, index of its likeliest class among the classes that are judged, -1 for one that is not
    among them. ``labelled``: (n,) bool, False where it abstains.
    """

    likeliest: NDArray[np.int64]
    labelled: NDArray[np.bool_]

    @classmethod
    def of(
        cls, logits: NDArray[np.float32], decision: Decision, own: Sequence[str], classes: Sequence[str]
    ) -> Predictions:
        """From (n, len(own) + 1) logits of a version with the classes ``own``; ``classes`` are those judged."""
        probabilities = decision.probabilities(logits)
        best = probabilities[:, :-1].argmax(axis=1)
        number = {key: index for index, key in enumerate(classes)}
        ours = np.array([number.get(key, -1) for key in own], np.int64)
        return cls(ours[best], decision.gives_label(probabilities))

    def right(self, labels: NDArray[np.int64], none: int) -> NDArray[np.bool_]:
        """(n,) bool: the likeliest class is the true one, as in accuracy, or it abstains where ``labels >= none``."""
        return np.asarray(np.where(labels >= none, ~self.labelled, self.likeliest == labels), np.bool_)

    def rightly_labelled(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: got the right label; to abstain does not count."""
        return np.asarray(self.labelled & (self.likeliest == labels), np.bool_)


def judge(
    old_right: NDArray[np.bool_], new_right: NDArray[np.bool_], labels: NDArray[np.int64], classes: Sequence[str]
) -> Verdict:
    """Refuse if fewer pictures are right overall, or if any class is worse with p < 0.05.

    ``old_right``, ``new_right``: (n,) bool, the same pictures in the same order. ``labels``: (n,) int64, the true
    class, ``len(classes)`` or more = none of them. An empty hold-out is refused too.
    """
    overall = Paired.of("all", old_right, new_right)
    pairs = [Paired.of(key, old_right[labels == n], new_right[labels == n]) for n, key in enumerate(classes)]
    if (none := labels >= len(classes)).any():
        pairs.append(Paired.of(NONE, old_right[none], new_right[none]))
    refusals = _refusals(overall, pairs)
    reasons = refusals or [f"not worse: {_in_words(overall)}, and no class is worse beyond chance"]
    return Verdict(not refusals, tuple(reasons), tuple(_limits(overall, pairs)), overall, tuple(pairs))


def judge_answers(
    old: Predictions,
    new: Predictions,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    groups: Mapping[str, NDArray[np.bool_]] = MappingProxyType({}),
) -> Verdict:
    """As ``judge``; refuse too if significantly fewer pictures get their right label, or if a group is worse.

    Without the former, a version that abstains on everything would pass, as its likeliest class may still be right.
    ``groups``: names and (n,) masks of pictures whose losses no win on others can make up for. A loss may go unnoticed
    in a class that is too small; several such losses in a group are noticed.
    """
    none, ours = len(classes), labels < len(classes)
    old_right, new_right = old.right(labels, none), new.right(labels, none)
    verdict = judge(old_right, new_right, labels, classes)
    pairs = [Paired.of(f"{name} worse", old_right[mask], new_right[mask]) for name, mask in groups.items()]
    given = "fewer get their right label, others a wrong one or none"
    pairs.append(Paired.of(given, old.rightly_labelled(labels)[ours], new.rightly_labelled(labels)[ours]))
    reasons = [f"{one.label}: {_in_words(one)}, p = {one.p_worse:.2g}" for one in pairs if one.is_worse]
    if not reasons:
        return verdict
    before = () if verdict.passed else verdict.reasons
    return Verdict(False, (*before, *reasons), verdict.limits, verdict.overall, verdict.classes)


def _refusals(overall: Paired, pairs: Sequence[Paired]) -> list[str]:
    if not overall.count:
        return ["no picture is held out, so the versions cannot be compared"]
    refusals = [f"{one.label} is worse: {_in_words(one)}, p = {one.p_worse:.2g}" for one in pairs if one.is_worse]
    if overall.new_right < overall.old_right:
        refusals.insert(0, f"worse overall: {_in_words(overall)}, p = {overall.p_worse:.2g}")
    return refusals


def _limits(overall: Paired, pairs: Sequence[Paired]) -> list[str]:
    if overall.is_too_few:
        return [f"{overall.count} pictures are too few to tell whether anything got worse"]
    few = [f"{one.label} ({one.old_right} of {one.count})" for one in pairs if one.is_too_few]
    if not few:
        return []
    return [f"too few were right before to notice a loss (fewer than {_LEAST}): {', '.join(few)}"]


def _chance_of_so_many(heads: int, tosses: int) -> float:
    """Chance of at least ``heads`` in ``tosses`` of a fair coin; exact, computed in whole numbers."""
    term = total = comb(tosses, heads)
    for k in range(heads, tosses):
        term = term * (tosses - k) // (k + 1)
        total += term
    return total / (1 << tosses)


def _in_words(pair: Paired) -> str:
    return f"{pair.new_right} of {pair.count} right, before {pair.old_right} (lost {pair.lost}, won {pair.won})"
