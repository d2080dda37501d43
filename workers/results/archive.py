"""Reports of many studies: those that are named, or all that Orthanc holds."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from workers.ledger import Ledger
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound
from workers.results.reporting import Reported, write_report
from workers.results.study import StudyError, find_study

__all__ = ["Reports", "all_studies", "write_reports"]

#: Studies asked for at a time, and those that a page shares with the next one: what moves up meanwhile is not missed.
PAGE, OVERLAP = 500, 50


@dataclass
class Reports:
    """What became of the reports of some studies."""

    done: list[Reported] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
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
    reports = Reports()
    for number, study in enumerate(studies, 1):
        try:
            reports.done.append(write_report(orthanc, ledger, find_study(orthanc, study)))
        except StudyError as error:
            reports.problems.append((study, str(error)))
        except OrthancNotFound:
            reports.problems.append((study, "Orthanc does not hold it, or something of it was deleted meanwhile"))
        except OrthancError as error:
            orthanc.statistics()  # raises if Orthanc is away
            reports.problems.append((study, f"Orthanc failed: {error.what}"))
        progress(number)
    return reports
