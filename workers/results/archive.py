"""Reports of many studies: those that are named, or all that Orthanc holds."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from workers.ledger import Ledger
from workers.pacs import OrthancClient
from workers.results.reporting import Reported, write_report
from workers.results.study import each_study

__all__ = ["Reports", "all_studies", "write_reports"]

#: Studies asked for at a time, and those that a page shares with the next one: what moves up meanwhile is not missed.
PAGE, OVERLAP = 500, 50


@dataclass(frozen=True)
class Reports:
    """What became of the reports of some studies."""

    done: list[Reported]
    problems: list[tuple[str, str]]
    """Studies, as they were named, that have no report, and why."""

    @property
    def counts(self) -> dict[str, int]:
        """How many of each status there are."""
        return dict(Counter(each.status for each in self.done))


def all_studies(orthanc: OrthancClient) -> Iterator[str]:
    """All studies that Orthanc holds, by its identifiers, each once."""
    seen: set[str] = set()
    since = 0
    while page := orthanc.study_ids(since, PAGE):
        yield from (study for study in page if study not in seen)
        seen = set(page)
        since += PAGE - OVERLAP


def write_reports(
    orthanc: OrthancClient,
    ledger: Ledger,
    studies: Iterable[str],
    progress: Callable[[int], None] = lambda _: None,
) -> Reports:
    """Bring the report of each study to what is known by now; what cannot be done for one does not stop the others.

    Args:
        studies: Study Instance UIDs or Orthanc's identifiers.
        progress: called with the number of studies that are done.

    Raises:
        OrthancError, redis.RedisError: Orthanc or the broker is away.
    """
    done: list[Reported] = []
    problems = each_study(orthanc, studies, lambda study: done.append(write_report(orthanc, ledger, study)), progress)
    return Reports(done, problems)
