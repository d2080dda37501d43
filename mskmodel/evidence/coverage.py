"""How much of what hospitals really write is understood: counts by language, of texts that people have read.

``python -m mskmodel.evidence.coverage FILE`` prints them for a table with the columns text, field, language, region,
view and side; the last three hold the terms that the text means, several joined by ``+``, none where it says nothing. A
region counts twice: as the term that it is, and as the region of the model that the term goes with most (`MODEL`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mskmodel.evidence.claim import FIELDS, understood_of
from mskmodel.evidence.terms import OTHER, REGION_TERMS
from mskmodel.tables.table import read_table

__all__ = ["KINDS", "MODEL", "Count", "ReadText", "coverage", "read_texts", "report"]

#: What a text may say.
KINDS: Final = ("region", "view", "side")
#: What the model can tell of a region.
MODEL: Final = "model's"
#: How a text that says something was understood.
_OUTCOMES: Final = ("right", "in part", "wrong", "nothing")
#: The field that a column of the header counts as; any other is one that may say everything.
_ANY_FIELD: Final = "study description"


@dataclass(frozen=True)
class ReadText:
    """A text that a hospital wrote, and what a person says that it means."""

    text: str
    #: One of `FIELDS`.
    field: str
    language: str
    #: For each of `KINDS` the terms, empty where the text does not say.
    means: Mapping[str, frozenset[str]]


@dataclass
class Count:
    """How the texts of one language were understood."""

    #: Of those that say something: ``right`` (the same terms), ``in part`` (some of them, or more), ``wrong``,
    #: ``nothing``.
    outcomes: Counter[str] = field(default_factory=Counter)
    #: Texts that do not say, and that were understood to say something.
    invented: int = 0
    #: Those that were not understood rightly.
    missed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Texts that say something."""
        return self.outcomes.total()


def read_texts(path: Path) -> list[ReadText]:
    """The rows of a table. TableError where it is none."""
    table = read_table(path, "text", "field", "language", *KINDS)
    return [
        ReadText(
            row["text"],
            _field(row["field"]),
            row["language"],
            {kind: frozenset(filter(None, row[kind].replace(" ", "").split("+"))) for kind in KINDS},
        )
        for row in table.rows
    ]


def coverage(texts: Iterable[ReadText]) -> dict[tuple[str, str], Count]:
    """Counts by language and kind, and those of all languages under ``all``."""
    counts: dict[tuple[str, str], Count] = {}
    for one in texts:
        understood = understood_of(one.field, [one.text])
        said = {"region": understood.regions, "view": understood.views, "side": understood.sides}
        pairs = {kind: (one.means[kind], said[kind]) for kind in KINDS}
        pairs[MODEL] = (_of_the_model(one.means["region"]), _of_the_model(said["region"]))
        for kind, (means, understands) in pairs.items():
            for language in (one.language, "all"):
                _add(counts.setdefault((language, kind), Count()), one, means, understands)
    return counts


def report(counts: Mapping[tuple[str, str], Count], *, missed: bool = False) -> str:
    """A table of the counts in text; ``missed``: with the texts that were not understood rightly."""
    lines = [f"{'language':12}{'kind':8}{'texts':>6}" + "".join(f"{one:>9}" for one in (*_OUTCOMES, "invented"))]
    for (language, kind), count in sorted(counts.items(), key=lambda item: (item[0][0] == "all", item[0])):
        shares = "".join(f"{count.outcomes[one] / max(count.total, 1):9.3f}" for one in _OUTCOMES)
        lines.append(f"{language:12}{kind:8}{count.total:6}{shares}{count.invented:9}")
        if missed and language != "all":
            lines += [f"    {text}" for text in count.missed]
    return "\n".join(lines)


def _of_the_model(terms: frozenset[str]) -> frozenset[str]:
    """The region that each term goes with most; `OTHER` for terms that are not ours."""
    weights = (REGION_TERMS.get(term, {OTHER: 1.0}) for term in terms)
    return frozenset(max(each, key=lambda region: each[region]) for each in weights)


def _add(count: Count, text: ReadText, means: frozenset[str], said: frozenset[str]) -> None:
    outcome = _outcome(means, said)
    if means:
        count.outcomes[outcome] += 1
    elif said:
        count.invented += 1
    if outcome != "right":
        count.missed.append(f"{outcome}: {text.text!r} says {_joined(means)}, understood {_joined(said)}")


def _outcome(means: frozenset[str], said: frozenset[str]) -> str:
    if means == said:
        return "right"
    if not said:
        return "nothing"
    return "in part" if means & said else "wrong"


def _joined(terms: frozenset[str]) -> str:
    return "+".join(sorted(terms)) or "nothing"


def _field(name: str) -> str:
    """The field of that name, in the standard's writing (``BodyPartExamined``) or in ours."""
    plain = name.replace(" ", "").replace("_", "").casefold()
    return next((ours for ours in FIELDS if plain.startswith(ours.replace(" ", ""))), _ANY_FIELD)


if __name__ == "__main__":
    sys.stdout.write(report(coverage(read_texts(Path(sys.argv[1]))), missed="--missed" in sys.argv) + "\n")
