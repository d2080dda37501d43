"""Suggests what to correct next, from the outcomes in Orthanc's metadata; needs neither pixels nor a model."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import nlargest
from typing import Any

from mskmodel.judging.active_learning import Candidate, doubtful, suggest
from workers.metadata.candidate import candidate_of
from workers.metadata.outcome import TRUTH, Outcome
from workers.pacs import OrthancClient

__all__ = ["as_plain", "contradicted", "suggestions"]

#: Instances read at a time.
PAGE = 1000


def suggestions(
    orthanc: OrthancClient, count: int, progress: Callable[[int], None] = lambda _: None
) -> list[Candidate]:
    """At most `count` instances without a truth that a person should look at next, the most doubtful first.

    `progress` is called with the number of instances read. Memory grows with `count`, not with the archive.
    """
    found = doubtful(_candidates(orthanc, progress), count)
    parents = orthanc.parents_of([each.key for each in found])
    # An instance without parents has been deleted in between.
    known = [replace(each, patient=parents[each.key].patient) for each in found if each.key in parents]
    return suggest(known, count)


def contradicted(
    orthanc: OrthancClient, count: int, progress: Callable[[int], None] = lambda _: None
) -> list[Candidate]:
    """At most `count` instances without a truth whose headers are wrong by the pixels, the surest first."""
    against = (each for each in _candidates(orthanc, progress) if each.header_disagrees)
    return nlargest(count, against, key=lambda each: (each.disagreement, each.key))


def as_plain(each: Candidate, orthanc_url: str) -> dict[str, Any]:
    """A suggestion as plain values for JSON, with a link to Orthanc Explorer, which every Orthanc has.

    ``suggested``: the model's likeliest answer, "" for none of the classes.
    """
    return {
        "instance": each.key,
        "suggested": each.said or "",
        "doubt": round(each.doubt, 4),
        "why": each.why,
        "top5": each.top,
        "header_disagrees": each.header_disagrees,
        "disagreement": each.disagreement,
        "link": f"{orthanc_url.rstrip('/')}/app/explorer.html#instance?uuid={each.key}",
    }


def _candidates(orthanc: OrthancClient, progress: Callable[[int], None]) -> Iterator[Candidate]:
    since = 0
    while page := orthanc.metadata_page(since, PAGE):
        for instance_id, metadata in page.items():
            outcome = None if TRUTH in metadata else Outcome.of(metadata)
            if outcome and (candidate := candidate_of(instance_id, outcome)):
                yield candidate
        since += PAGE
        progress(since)
