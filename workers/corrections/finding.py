"""Finds the truths in Orthanc's metadata; needs neither pixels nor a model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from workers.metadata.outcome import TRUTH
from workers.metadata.truth import Truth
from workers.pacs import OrthancClient

__all__ = ["Progress", "truths"]

#: Instances asked for at a time.
PAGE = 1000


class Progress(Protocol):
    """Called after every page of instances and after every image; may raise to stop."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """``step``: "looking for truths", "reading images" or "writing"."""


def truths(
    orthanc: OrthancClient,
    instances: Sequence[str] | None = None,
    progress: Progress = lambda step, done, total: None,  # noqa: ARG005
) -> tuple[dict[str, Truth], dict[str, str]]:
    """The truths by instance, of all instances or of the named ones; and the reasons why others have none.

    Reasons are given for truths that cannot be read, and for every named instance without a truth.
    """
    wanted = None if instances is None else list(dict.fromkeys(instances))
    total = orthanc.statistics().instances if wanted is None else len(wanted)
    said: dict[str, Truth] = {}
    unusable: dict[str, str] = {}
    looked_at = 0
    for page in _pages(orthanc, wanted):
        for instance_id, metadata in page.items():
            if truth := Truth.standing(metadata):
                said[instance_id] = truth
            elif Truth.of(metadata):
                if wanted is not None:
                    unusable[instance_id] = "its truth was withdrawn"
            elif TRUTH in metadata:
                unusable[instance_id] = f"its {TRUTH} cannot be read"
            elif wanted is not None:
                unusable[instance_id] = "nobody has said what it shows"
        looked_at += len(page)
        progress("looking for truths", min(looked_at, total), total)
    for instance_id in wanted or ():
        if instance_id not in said:
            unusable.setdefault(instance_id, "Orthanc holds no such instance")
    return said, unusable


def _pages(orthanc: OrthancClient, wanted: Sequence[str] | None) -> Iterator[Mapping[str, Mapping[str, str]]]:
    if wanted is not None:
        yield from (orthanc.metadata_of(wanted[first : first + PAGE]) for first in range(0, len(wanted), PAGE))
        return
    since = 0
    while page := orthanc.metadata_page(since, PAGE):
        yield page
        since += PAGE
