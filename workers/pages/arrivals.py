"""What was stored, live: `/arrivals`, and the first page. Filters and place stand in the address."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mskmodel.registry import Registry, RegistryError, read_manifest
from mskmodel.tables.label_cell import NONE
from workers.access.awaited_records import AwaitedRecords
from workers.access.role import Role, needs
from workers.metadata.outcome import FAILED, LABELLED, NEEDS_REVIEW, SKIPPED
from workers.pages.rendering import Pages
from workers.pages.times import day_bounds, lasted, local_time, seconds_between
from workers.pages.wording import claimed, display
from workers.records.arrivals import WAITING, Page, Place, Wanted, page

__all__ = ["STATUSES", "arrivals_routes"]

#: Rows of a page.
ROWS = 50
STATUSES = {
    LABELLED: "Labelled",
    NEEDS_REVIEW: "Needs review",
    SKIPPED: "Skipped",
    FAILED: "Failed",
    WAITING: "Waiting",
}
#: From this on the header counts as wrong, as everywhere.
DISAGREES = 0.5
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Filter:
    """The filters, as they stand in the address; "" for none."""

    shows: str = ""
    status: str = ""
    day: str = ""
    reason: str = ""
    disagrees: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> "Filter":
        """From the fields of an address. HTTPException 422: one of them cannot be used."""
        found = cls(**{name: asked.get(name, "").strip() for name in cls.__dataclass_fields__})
        if found.status and found.status not in STATUSES:
            raise HTTPException(422, f"a status is one of {', '.join(STATUSES)}")
        if found.shows and not _KEY.fullmatch(found.shows):
            raise HTTPException(422, "a class has letters, digits, _ and -")
        found.wanted()
        return found

    def wanted(self) -> Wanted:
        """For the index. HTTPException 422: the day is none."""
        since, until = "", ""
        if self.day:
            try:
                since, until = day_bounds(date.fromisoformat(self.day))
            except (ValueError, OverflowError):
                raise HTTPException(422, "a day is written like 2026-01-31") from None
        return Wanted(self.shows, self.status, self.reason, since, until, bool(self.disagrees))

    def address(self, **more: str) -> str:
        """Of the page with these filters, and these further fields."""
        fields = {name: value for name, value in (self.__dict__ | more).items() if value}
        return f"/arrivals?{urlencode(fields)}" if fields else "/arrivals"


@dataclass(frozen=True)
class Arrival:
    """A row in words."""

    instance: str
    study: str
    stored: str
    shows: str
    by: str
    """Who says so, where that is not the model."""
    probability: float | None
    region: str
    took: str
    header: str
    """What the header says, where the pixels say otherwise."""
    status: str
    status_words: str
    reason: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Arrival":
        """From a row of the index."""
        status = row["status"] or WAITING
        done = row["labelled_at"]
        disagrees = (row["disagreement"] or 0.0) > DISAGREES
        return cls(
            row["instance"],
            row["study"],
            local_time(row["stored_at"]),
            display(row["shown"]) if row["shown"] else "",
            "said by a person" if row["truth"] else "",
            row["probability"],
            (row["region"] or "").replace("_", " "),
            lasted(seconds_between(row["stored_at"], done)) if done else "",
            claimed(row["claims"]) if disagrees else "",
            status,
            STATUSES[status],
            row["reason"] or "",
        )


def arrivals_routes(records: AwaitedRecords, registry: Registry, pages: Pages) -> APIRouter:
    """Routes for the gateway to mount."""
    router = APIRouter(include_in_schema=False)

    async def shown(request: Request) -> Response:
        asked = request.query_params
        chosen = Filter.of(asked)
        after, before = _place(asked.get("after", "")), _place(asked.get("before", ""))
        wanted = chosen.wanted()
        found = await records.read(lambda connection: page(connection, wanted, ROWS, after=after, before=before))
        classes = await run_in_threadpool(_classes, registry)
        return pages.page(
            request,
            "arrivals.html.jinja",
            rows=[Arrival.of(row) for row in found.rows],
            chosen=chosen,
            classes=[(key, display(key)) for key in sorted({*classes, chosen.shows} - {"", NONE})]
            + [(NONE, display(NONE))],
            statuses=STATUSES,
            ways=_ways(chosen, found),
            zone=datetime.now().astimezone().tzname(),
        )

    @router.get("/")
    @needs(Role.VIEWER)
    async def home(request: Request) -> Response:
        """The same as /arrivals."""
        return await shown(request)

    @router.get("/arrivals")
    @needs(Role.VIEWER)
    async def arrivals(request: Request) -> Response:
        """The newest; `after` and `before` name the place where another page ends."""
        return await shown(request)

    return router


def _ways(chosen: Filter, found: Page) -> dict[str, str]:
    """Addresses of the pages beside this one, by name."""
    ways = {}
    if found.has_newer:
        ways["Newest"] = chosen.address()
        if found.rows:
            ways["Newer"] = chosen.address(before=_written(found.rows[0]))
    if found.has_older and found.rows:
        ways["Older"] = chosen.address(after=_written(found.rows[-1]))
    return ways


def _written(row: Mapping[str, Any]) -> str:
    return f"{row['stored_at']}~{row['instance']}"


def _place(text: str) -> Place | None:
    if not text:
        return None
    stored_at, _, instance = text.partition("~")
    try:
        datetime.fromisoformat(stored_at)
    except ValueError:
        raise HTTPException(422, "the address names no place in the list: open /arrivals") from None
    return Place(stored_at, instance)


def _classes(registry: Registry) -> Sequence[str]:
    """Those of the version that is served."""
    try:
        found: Sequence[str] = read_manifest(registry.promoted())["classes"]
    except RegistryError:  # said on the page of models
        return ()
    return found
