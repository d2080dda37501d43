"""What the experiment with priors found, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mskmodel.experiments.priors import ARMS, MEASURES, Mistake, Result
from mskmodel.experiments.simulated_patients import HABITS
from mskmodel.judging.intervals import wilson
from mskmodel.judging.report import Item, Section, Table, page

__all__ = ["priors_figures", "priors_page", "priors_table"]

#: So many mistakes of a kind are shown of each arm; a page of thousands is read by nobody.
_SHOWN = 60

Found = Mapping[str, Result]


def priors_figures(found: Found, version: str) -> dict[str, Any]:
    """Everything as plain values, for JSON: hits and cases by arm, seed and measure."""
    return {
        "model": version,
        "arms": {
            arm: [
                {name: {"hits": each.hits[name], "cases": each.cases[name]} for name in MEASURES}
                for each in result.counts
            ]
            for arm, result in found.items()
        },
    }


def priors_table(found: Found, *, intervals: bool = False) -> Table:
    """One row per measure: of each arm over all seeds, with its 95 % interval where that is wanted."""
    rows = [(name, *(_rate(found[arm], name, intervals=intervals) for arm in ARMS)) for name in MEASURES]
    return Table(("", *ARMS), rows)


def priors_page(found: Found, version: str, lead: str) -> str:
    """The report as an HTML page, with the mistakes."""
    how = [
        "A patient comes three to eight times: half of the time for the same complaint, sometimes for the other side "
        "of it. Regions are as frequent as in a hospital's archive. Each visit is judged beside all earlier ones: "
        "whether they are relevant is fixed by a table of published rules "
        "(mskmodel/experiments/published_relevance.py), which knows nothing of our scores.",
        f"Headers are silent of the region of {HABITS.no_region:.0%} of the films, and lie of {HABITS.wrong:.0%} of "
        "the others, at random. Their sides are right or absent: one visit in five names none, and one film in ten of "
        "the others. A side that no film of its joint names is nobody's to know, so it rules nothing out; by true "
        "sides, such a visit counts as offered wrongly where it shows the other side.",
        f"The model is {version}: each film has its answer to one phantom of that view, by the pixels alone (“pixels”) "
        "or weighed with the film's header (“model”). Where it gives no label, the region counts that it is sure of, "
        "else the header. “Classes” are visits all of whose films have a view that the model names.",
        "The intervals (Wilson) take the visits to be independent; those of one patient are not quite.",
    ]
    mistakes = [Section(f"Mistakes: {arm}", _mistakes(found[arm].mistakes)) for arm in ARMS]
    figures = Section("Figures", [priors_table(found, intervals=True)])
    return page("Relevant priors: by labels or by headers", lead, [figures, *mistakes, Section("How", how)])


def _mistakes(mistakes: Sequence[Mistake]) -> list[Item]:
    items: list[Item] = []
    for title, some in (
        ("missed", [each for each in mistakes if each.is_miss]),
        ("offered wrongly", [each for each in mistakes if not each.is_miss]),
    ):
        more = f", of which {_SHOWN} are shown" if len(some) > _SHOWN else ""
        items.append(f"{len(some)} {title}{more}.")
        rows = [(each.current, each.earlier, each.told, each.said) for each in some[:_SHOWN]]
        if rows:
            items.append(Table(("current films", "earlier films", "what is told of these", "reasons"), rows, title))
    return items


def _rate(result: Result, name: str, *, intervals: bool) -> str:
    hits, cases = (sum(getattr(each, part)[name] for each in result.counts) for part in ("hits", "cases"))
    interval = wilson(hits, cases)
    if interval is None:
        return "no case"
    said = f"{hits / cases:.4f}"
    return f"{said} ({interval.low:.4f}-{interval.high:.4f}) of {cases}" if intervals else said
