"""The gate: whether a new version may replace the one that is served, both judged on images that neither learned from.

Most tests are McNemar's, exact and one-sided: of the images that only one of the two gets right, how likely is it that
the old one wins at least this many if neither is better? They are not corrected for the number of classes: a false
alarm costs a look at the report, a missed one costs wrong labels. Where thresholds would decide, versions are compared
at all of them (see `open_set`).

Corrections and phantoms are judged apart. Corrections show what the site has, and what people found wrong. Phantoms
stand for what nobody corrected. The version that ships was made on phantoms, so one that turns to real images may lose
a few. The threshold is made for what the site stores, so that phantoms are never judged by it, but over all thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mskmodel.judging.open_set import FEWEST, Open, chance_of_worse, oscr
from mskmodel.registry.decision import Decision

__all__ = ["NONE", "SIGNIFICANT", "Paired", "Predictions", "Verdict", "judge", "judge_answers"]

#: Significance level: a loss counts if its p-value is below this.
SIGNIFICANT = 0.05
#: Fewest losses, with no win beside them, that are significant: 2 ** -5 < 0.05.
_LEAST = 5
#: Share of the phantoms of the classes that a version may lose, and, with as much for how well these stand out from
#: phantoms of none of them, of the open-set rate, which is the product of both.
_MAY_LOSE, _MAY_LOSE_OPEN = 0.05, 0.1
#: Times that labels are shuffled.
_SHUFFLES = 1000
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
    among them. ``labelled``: (n,) bool, False where it abstains. ``confidence``: (n,) probability of that class.
    """

    likeliest: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    confidence: NDArray[np.float64]

    @classmethod
    def of(
        cls, logits: NDArray[np.float32], decision: Decision, own: Sequence[str], classes: Sequence[str]
    ) -> Predictions:
        """From (n, len(own) + 1) logits of a version with the classes ``own``; ``classes`` are those judged."""
        probabilities = decision.probabilities(logits)
        best = probabilities[:, :-1].argmax(axis=1)
        number = {key: index for index, key in enumerate(classes)}
        ours = np.array([number.get(key, -1) for key in own], np.int64)
        return cls(ours[best], decision.gives_label(probabilities), probabilities[:, :-1].max(axis=1))

    def part(self, rows: NDArray[np.bool_]) -> Predictions:
        """The answers for these pictures."""
        return Predictions(self.likeliest[rows], self.labelled[rows], self.confidence[rows])

    def at_every_threshold(self, labels: NDArray[np.int64], none: int) -> Open:
        """The answers against the truth, whatever the threshold."""
        return Open(self.likeliest == labels, self.confidence, labels < none)

    def right(self, labels: NDArray[np.int64], none: int) -> NDArray[np.bool_]:
        """(n,) bool: the likeliest class is the true one, as in accuracy, or it abstains where ``labels >= none``."""
        return np.asarray(np.where(labels >= none, ~self.labelled, self.likeliest == labels), np.bool_)

    def rightly_labelled(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: got the right label; to abstain does not count."""
        return np.asarray(self.labelled & (self.likeliest == labels), np.bool_)


def judge(
    old_right: NDArray[np.bool_],
    new_right: NDArray[np.bool_],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    phantoms: NDArray[np.bool_] | None = None,
) -> Verdict:
    """Refuse if fewer pictures are right overall, or if any class is worse with p < 0.05.

    ``old_right``, ``new_right``: (n,) bool, the same pictures in the same order. ``labels``: (n,) int64, the true
    class, ``len(classes)`` or more = none of them. ``phantoms``: (n,) bool, pictures that count by class only, and
    not at all if they are of none of them. No pictures to judge by are refused too.
    """
    whole = np.ones(len(labels), np.bool_) if phantoms is None else ~phantoms
    overall = Paired.of("all", old_right[whole], new_right[whole])
    pairs = [Paired.of(key, old_right[labels == n], new_right[labels == n]) for n, key in enumerate(classes)]
    if (none := (labels >= len(classes)) & whole).any():
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
    phantoms: NDArray[np.bool_] | None = None,
) -> Verdict:
    """As ``judge``; refuse too what a count of right answers does not show.

    These are: significantly fewer right labels, at the versions' own thresholds or over all of them; a group that is
    worse; phantoms of the classes that are forgotten; labels that have nothing to do with what the new version says.
    ``groups``: names and (n,) masks of pictures whose losses no win on others can make up for. A loss may go unnoticed
    in a class that is too small; several such losses in a group are noticed.
    """
    none, ours = len(classes), labels < len(classes)
    real = np.ones(len(labels), np.bool_) if phantoms is None or phantoms.all() else ~phantoms
    old_right, new_right = old.right(labels, none), new.right(labels, none)
    verdict = judge(old_right, new_right, labels, classes, ~real)
    pairs = [Paired.of(f"{name} worse", old_right[mask], new_right[mask]) for name, mask in groups.items()]
    given = [each.rightly_labelled(labels) for each in (old, new)]
    pairs.append(Paired.of("fewer get their right label, others a wrong one or none", *(g[real & ours] for g in given)))
    reasons = [f"{one.label}: {_in_words(one)}, p = {one.p_worse:.2g}" for one in pairs if one.is_worse]
    limits: list[str] = []
    if not real.all():
        reasons += _forgotten(*(each.likeliest[~real & ours] == labels[~real & ours] for each in (old, new)))
        everywhere = Paired.of("", *(each[ours] for each in given))
        if everywhere.is_worse and 2 * everywhere.new_right < everywhere.old_right:
            reasons.append(f"less than half as many get their right label, phantoms included: {_in_words(everywhere)}")
        drawn = [each.part(~real).at_every_threshold(labels[~real], none) for each in (old, new)]
        if drawn[0].is_enough and oscr(drawn[1]) < oscr(drawn[0]) - _MAY_LOSE_OPEN:
            reasons += [f"on phantoms {reason}" for reason in _worse_at_every_threshold(*drawn)]
    opens = [each.part(real).at_every_threshold(labels[real], none) for each in (old, new)]
    if opens[0].is_enough:
        reasons += _worse_at_every_threshold(*opens)
    else:
        limits.append(f"fewer than {FEWEST} images of the classes or of none of them to compare thresholds by")
    reasons += _unrelated(new.likeliest[real & ours], labels[real & ours])
    limits = [*verdict.limits, *limits]
    if not reasons:
        return Verdict(verdict.passed, verdict.reasons, tuple(limits), verdict.overall, verdict.classes)
    before = () if verdict.passed else verdict.reasons
    return Verdict(False, (*before, *reasons), tuple(limits), verdict.overall, verdict.classes)


def _forgotten(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> list[str]:
    """The reason if more phantoms of the classes are lost than may be, by which class is likeliest, (n,) each."""
    pair = Paired.of("phantoms, which stand for what nobody corrected, are worse", old, new)
    if pair.is_worse and pair.lost - pair.won > _MAY_LOSE * pair.count:
        return [f"{pair.label}: {_in_words(pair)}, p = {pair.p_worse:.2g}"]
    return []


def _worse_at_every_threshold(old: Open, new: Open) -> list[str]:
    """The reason if fewer right labels are given at the same rates of labels for none of the classes."""
    p_worse = chance_of_worse(old, new)
    if p_worse >= SIGNIFICANT:
        return []
    found = f"{oscr(new):.2f}, before {oscr(old):.2f}, p = {p_worse:.2g}"
    return [f"it tells the classes less well from none of them, at whatever threshold (open-set rate {found})"]


def _unrelated(said: NDArray[np.int64], labels: NDArray[np.int64]) -> list[str]:
    """The reason if as many answers would be right with the labels shuffled, and too few images are no excuse."""
    random = np.random.default_rng(1)
    shuffled = [random.permutation(labels) for _ in range(_SHUFFLES)]

    def by_chance(answers: NDArray[np.int64]) -> float:
        right = (answers == labels).sum()
        return (1 + sum(int((answers == each).sum() >= right) for each in shuffled)) / (1 + _SHUFFLES)

    if by_chance(labels) >= SIGNIFICANT or by_chance(said) < SIGNIFICANT:
        return []
    return [
        f"what people said does not follow from the images: a model that had not seen them says so of "
        f"{(said == labels).sum()} of {len(labels)}, no more than if labels were shuffled: see whether they are right"
    ]


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
