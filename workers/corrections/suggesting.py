"""What to correct next of all that Orthanc holds, from the outcomes in its metadata; needs no pixels and no model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mskmodel.judging.active_learning import Candidate, doubtful, suggest
from mskmodel.registry.decision import UNLIKE
from workers.metadata.outcome import LABELLED, NEEDS_REVIEW, TRUTH, Outcome
from workers.pacs import OrthancClient

__all__ = ["as_plain", "suggestions"]

#: Instances read at a time.
PAGE = 1000


def suggestions(
    orthanc: OrthancClient, count: int, progress: Callable[[int], None] = lambda _: None
) -> list[Candidate]:
    """The instances that a person should look at next, the first first: `count` of those without a truth, at most.

    `progress` is told how many instances were looked at. Memory grows with `count`, not with the archive.
    """
    found = doubtful(_candidates(orthanc, progress), count)
    parents = orthanc.parents_of([each.key for each in found])
    # What has no parents was deleted in between.
    known = [replace(each, patient=parents[each.key].patient) for each in found if each.key in parents]
    return suggest(known, count)


def as_plain(each: Candidate, orthanc_url: str) -> dict[str, Any]:
    """A suggestion as programs read it, with a link to Orthanc Explorer, which every Orthanc has.

    ``suggested``: what the model holds likeliest, "" for none of the classes.
    """
    return {
        "instance": each.key,
        "suggested": each.said or "",
        "doubt": round(each.doubt, 4),
        "why": each.why,
        "top5": each.top,
        "header_disagrees": each.header_disagrees,
        "link": f"{orthanc_url.rstrip('/')}/app/explorer.html#instance?uuid={each.key}",
    }


def _candidates(orthanc: OrthancClient, progress: Callable[[int], None]) -> Iterator[Candidate]:
    since = 0
    while page := orthanc.metadata_page(since, PAGE):
        for instance_id, metadata in page.items():
            if candidate := _candidate(instance_id, metadata):
                yield candidate
        since += PAGE
        progress(since)


def _candidate(instance_id: str, metadata: Mapping[str, str]) -> Candidate | None:
    """None where somebody has spoken already, or no model has."""
    outcome = None if TRUTH in metadata else Outcome.of(metadata)
    if outcome is None or outcome.status not in (LABELLED, NEEDS_REVIEW) or not outcome.top5:
        return None
    unlike = outcome.status == NEEDS_REVIEW and outcome.reason == UNLIKE
    return Candidate(instance_id, outcome.top5, unlike, outcome.header_disagrees is True)
