"""Whether a new version may take the place of the one that is served: both judged on the same held-out pictures.

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

__all__ = ["NONE", "SIGNIFICANT", "Answers", "Paired", "Verdict", "judge", "judge_answers"]

#: A loss that chance alone would bring less often than this is believed.
SIGNIFICANT = 0.05
#: Losses that it takes at least, with no win beside them, to be that unlikely: 2 ** -5 < 0.05.
_LEAST = 5
#: What pictures of none of the classes are listed under.
NONE = "none of the classes"


@dataclass(frozen=True)
class Paired:
    """The same ``count`` pictures under both versions; ``label`` is their class, or what else they have in common."""

    label: str
    count: int
    old_right: int
    new_right: int
    #: Right before, wrong now.
    lost: int
    #: Wrong before, right now.
    won: int
    #: Chance of losing at least so many of ``lost + won`` if neither version is better.
    p_worse: float

    @classmethod
    def of(cls, label: str, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Paired:
        """From what each version got right, (n,) each."""
        lost, won = int((old & ~new).sum()), int((~old & new).sum())
        return cls(label, len(old), int(old.sum()), int(new.sum()), lost, won, _chance_of_so_many(lost, lost + won))

    @property
    def is_worse(self) -> bool:
        """Beyond what chance explains."""
        return self.p_worse < SIGNIFICANT

    @property
    def is_too_few(self) -> bool:
        """Whether not even the loss of all that the old version gets right would be believed."""
        return self.old_right < _LEAST


@dataclass(frozen=True)
class Verdict:
    """``reasons`` say in words what decided, ``limits`` what these pictures cannot tell."""

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
class Answers:
    """What a version says of n pictures.

    ``likeliest``: (n,) int64, index of its likeliest class among the classes that are judged, -1 for one that is not
    among them. ``labelled``: (n,) bool, whether it gives that as a label or abstains.
    """

    likeliest: NDArray[np.int64]
    labelled: NDArray[np.bool_]

    @classmethod
    def of(cls, logits: NDArray[np.float32], decision: Decision, own: Sequence[str], classes: Sequence[str]) -> Answers:
        """From (n, len(own) + 1) logits of a version with the classes ``own``; ``classes`` are those judged."""
        probabilities = decision.probabilities(logits)
        best = probabilities[:, :-1].argmax(axis=1)
        confidence = probabilities[np.arange(len(best)), best]
        number = {key: index for index, key in enumerate(classes)}
        ours = np.array([number.get(key, -1) for key in own], np.int64)
        return cls(ours[best], (confidence >= decision.threshold) & (confidence > probabilities[:, -1]))

    def right(self, labels: NDArray[np.int64], none: int) -> NDArray[np.bool_]:
        """Likeliest class is the true one, as in accuracy; a picture of none (``labels == none``) gets no label."""
        return np.asarray(np.where(labels == none, ~self.labelled, self.likeliest == labels), np.bool_)

    def rightly_labelled(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Got the right label: abstaining does not count."""
        return np.asarray(self.labelled & (self.likeliest == labels), np.bool_)


def judge(
    old_right: NDArray[np.bool_], new_right: NDArray[np.bool_], labels: NDArray[np.int64], classes: Sequence[str]
) -> Verdict:
    """Refused if less is right overall, or if any class is worse with p < 0.05.

    ``old_right``, ``new_right``: (n,) bool, the same pictures in the same order. ``labels``: (n,) int64, the true
    class, ``len(classes)`` = none of them. No picture at all is refused too.
    """
    overall = Paired.of("all", old_right, new_right)
    pairs = [Paired.of(key, old_right[labels == n], new_right[labels == n]) for n, key in enumerate(classes)]
    if (none := labels == len(classes)).any():
        pairs.append(Paired.of(NONE, old_right[none], new_right[none]))
    refusals = _refusals(overall, pairs)
    reasons = refusals or [f"not worse: {_in_words(overall)}, and no class is worse beyond chance"]
    return Verdict(not refusals, tuple(reasons), tuple(_limits(overall, pairs)), overall, tuple(pairs))


def judge_answers(
    old: Answers,
    new: Answers,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    groups: Mapping[str, NDArray[np.bool_]] = MappingProxyType({}),
) -> Verdict:
    """``judge`` on what is right, and refused too if fewer get their right label, beyond chance, or a group is worse.

    Without the former a version that abstains on everything would pass, as its likeliest class is right all the same.
    ``groups``: names and (n,) masks of pictures that nothing won on the others makes up for. A class may be too small
    to notice that it is lost; several such losses in a group are noticed.
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
        return ["no picture is held out, so that nothing can be said"]
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
    return [f"too few that were right before to notice a loss (less than {_LEAST}): {', '.join(few)}"]


def _chance_of_so_many(heads: int, tosses: int) -> float:
    """Of at least ``heads``, the coin being fair; exact, in whole numbers."""
    term = total = comb(tosses, heads)
    for k in range(heads, tosses):
        term = term * (tosses - k) // (k + 1)
        total += term
    return total / (1 << tosses)


def _in_words(pair: Paired) -> str:
    return f"{pair.new_right} of {pair.count} right, before {pair.old_right} (lost {pair.lost}, won {pair.won})"
