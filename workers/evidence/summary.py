"""What is known of a site's headers, counted together for people: by field, by term, and by station."""

from collections.abc import Mapping
from typing import Any

from mskmodel.evidence.reliability import Counts, FieldCounts
from workers.evidence.published import Publication

__all__ = ["summary"]

#: Digits of a share.
_DIGITS = 3


def summary(publication: Publication) -> dict[str, Any]:
    """Plain values.

    Of each field and kind: ``seen``, radiographs on which it says something; ``right``, estimated share of its claims
    that are right; ``terms`` and ``groups``. Of each term: ``seen``, and ``goes_with``, the share of each region or
    view among those, the largest first; of a site's own code ``example``, an instance that carries it.
    """
    reliability = publication.reliability
    return {
        "time": publication.time or None,
        "radiographs": reliability.observations,
        "fields": [_field(each, publication.examples) for each in reliability.fields],
    }


def _field(counts: FieldCounts, examples: Mapping[str, str]) -> dict[str, Any]:
    groups = [{"group": group, **_seen(terms), "terms": _terms(terms, counts, {})} for group, terms in _by_size(counts)]
    own = {"field": counts.field, "kind": counts.kind, **_seen(counts.terms), "right": counts.right}
    return own | {"terms": _terms(counts.terms, counts, examples), "groups": groups}


def _by_size(counts: FieldCounts) -> list[tuple[str, Counts]]:
    return sorted(counts.groups.items(), key=lambda group: -_seen(group[1])["seen"])


def _seen(terms: Counts) -> dict[str, int]:
    return {"seen": round(sum(map(sum, terms.values())))}


def _terms(terms: Counts, counts: FieldCounts, examples: Mapping[str, str]) -> list[dict[str, Any]]:
    """The most frequent first."""
    result = []
    for term, row in sorted(terms.items(), key=lambda item: (-sum(item[1]), item[0])):
        total = sum(row) or 1.0
        shares = sorted(zip(counts.axis, row, strict=True), key=lambda pair: -pair[1])
        goes_with = {answer: round(count / total, _DIGITS) for answer, count in shares if count > 0}
        example = {"example": examples[term]} if term in examples else {}
        result.append({"term": term, "seen": round(sum(row)), "goes_with": goes_with} | example)
    return result
